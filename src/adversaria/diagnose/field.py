"""The field that gradient play follows, and its derivative along a direction."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from adversaria.data.spec import Batch
from adversaria.diagnose.untouched import Snapshot, as_played, terms_of
from adversaria.errors import UserError
from adversaria.game.game import Game, seeded
from adversaria.game.player import Player, Terms
from adversaria.game.stage import Stage

STEP = 6e-6
"""Length of a difference: the cube root of float64's precision, where rounding and curvature weigh the same."""


class Field:
    """v(w) of a stage, on one batch and one draw of noise: a plain function of the players' parameters.

        v(w) = sum over players i of grad_{w_i} L_i(w),    gradient play follows dw/dt = -v

    A parameter that two players own has the sum of their gradients. Every evaluation starts from the same buffers and
    the same seed, the same for each player, so that all look at the same noise. To be used inside `untouched`.
    """

    def __init__(self, game: Game, stage: Stage, batch: Batch, seed: int) -> None:
        owned = {id(p): p for player in stage.players for p in player.parameters()}
        self.stage, self.seed = stage, seed
        self.parameters: list[nn.Parameter] = list(owned.values())
        first = self.parameters[0]
        self.batch = as_played(batch, first.device, first.dtype)
        self.places, self.size = {}, 0
        for parameter in self.parameters:
            self.places[id(parameter)] = slice(self.size, self.size + parameter.numel())
            self.size += parameter.numel()
        self._before = Snapshot(game.networks)
        self.evaluations = self.broken = 0

    def point(self) -> Float[Tensor, " n"]:
        """Where the game is: w."""
        return torch.cat([p.detach().flatten() for p in self.parameters])

    @torch.no_grad()
    def place(self, w: Float[Tensor, " n"]) -> None:
        """Puts the game at w."""
        for parameter in self.parameters:
            parameter.copy_(w[self.places[id(parameter)]].view_as(parameter))

    def __call__(self, w: Float[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
        """v at w, or where the game is.

        Raises:
            UserError: where it is not finite there, or a player's loss doesn't depend on what it owns.
        """
        if w is not None:
            self.place(w)
        self._before.rewind()
        self.evaluations += 1
        first = self.parameters[0]
        total = torch.zeros(self.size, dtype=first.dtype, device=first.device)
        batch, players = self._data(), self.stage.players
        shared: dict[str, Terms] = {}
        if self.stage.joint:
            with seeded(self.seed):
                shared = dict(self.stage.joint(batch))
        for player in players:
            with seeded(self.seed):
                terms = shared[player.name] if shared else terms_of(self.stage, player, batch)
            self._add(total, player, terms, bool(shared))
        if not bool(torch.isfinite(total).all()):
            bad = int((~torch.isfinite(total)).sum())
            raise UserError(f"{bad} of {self.size} components of the players' gradients are not finite here; "
                            "diagnose an earlier checkpoint")  # fmt: skip
        return total

    def _data(self) -> Batch:
        if self.stage.data is None:
            return self.batch
        with torch.no_grad(), seeded(self.seed):
            return self.stage.data(self.batch)

    def _add(self, total: Tensor, player: Player, terms: Terms, shared: bool) -> None:
        own, loss = player.parameters(), player.loss(terms)
        if not loss.requires_grad:
            raise UserError(f"the objective of player '{player.name}' does not depend on what it owns; check `owns`")
        for parameter, gradient in zip(
            own, torch.autograd.grad(loss, own, retain_graph=shared, allow_unused=True), strict=True
        ):
            if gradient is not None:
                total[self.places[id(parameter)]] += gradient.flatten()

    def settle(self) -> None:
        """Takes the point and the field there, from which `along` differences."""
        self.w0 = self.point()
        self.v0 = self(self.w0)
        self._length = float(self.v0.norm())

    def along(self, u: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The derivative of v along u, J u, by central differences.

            J u = (v(w + h u) - v(w - h u)) / 2 h + O(h^2)

        Differences, because objectives cut gradients that the field has: a discriminator's loss holds the samples
        fixed (no_grad, detach), so that automatic differentiation of v misses how they move with the generator, which
        is where rotation comes from. Where the two one-sided differences disagree, a kink of a ReLU or a jump lies
        between, and h is shortened; the most agreeing one is taken.
        """
        scale = float(u.norm())
        if not scale:
            return torch.zeros_like(u)
        u, h, best = u / scale, STEP, (float("inf"), torch.zeros_like(u))
        for _ in range(5):
            forward = (self(self.w0 + h * u) - self.v0) / h
            backward = (self.v0 - self(self.w0 - h * u)) / h
            central = (forward + backward) / 2
            gap = float((forward - backward).norm())
            allowed = 1e-4 * float(central.norm()) + 1e-13 * (self._length + 1) / h
            if gap / allowed < best[0]:
                best = (gap / allowed, central)
            if gap <= allowed:
                break
            h /= 10
        self.broken += best[0] > 1
        return best[1] * scale
