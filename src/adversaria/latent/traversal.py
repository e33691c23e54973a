"""What each coordinate of a code does, and how much."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.game import Game, seeded
from adversaria.latent.codes import decoded, decoder
from adversaria.latent.prior import Prior


@dataclass(frozen=True)
class Effects:
    """How much of the samples' variance each coordinate can make, of `n` codes."""

    share: Float[Tensor, " k"]
    error: Float[Tensor, " k"]
    """Standard error of each share."""
    n: int

    def largest(self, count: int) -> list[int]:
        """The coordinates of highest effect, largest first."""
        return self.share.argsort(descending=True, stable=True)[:count].tolist()


def effects(game: Game, n: int = 128, *, label: int | None = None, seed: int = 0, chunk: int = 512) -> Effects:
    """The total effect of each coordinate: half the mean squared change when it alone is drawn anew.

        T_j = E |G(z) - G(z with z_j drawn anew)|^2 / 2,    share = T_j / (sum over numbers of var G)

    T_j is the variance that is left where all other coordinates are known; for independent coordinates the shares sum
    to 1 for an additive decoder, and to more where coordinates act together. For a linear one T_j = |W_j|^2 var z_j.

    Jansen (1999), Computer Physics Communications 117, Eq. 20; Sobol' (2001).

    Args:
        game: what decodes; coordinates of its prior are taken to be independent.
        n: codes; n (k + 1) are decoded.
        label: for a model that decodes under labels.
        seed: of the codes.
        chunk: codes at a time.
    """
    at_least("number of codes", n, 2)
    decode = decoder(game, label)
    z, anew = game.latent(n, seed=seed), game.latent(n, seed=seed + 1)
    with game.at_rest(), seeded(seed):
        x = torch.cat([decode(part) for part in z.split(chunk)]).flatten(1).double()
        halves = []
        for j in range(z.shape[1]):
            moved = z.clone()
            moved[:, j] = anew[:, j]
            y = torch.cat([decode(part) for part in moved.split(chunk)]).flatten(1).double()
            halves.append((y - x).square().sum(1) / 2)
    change, spread = torch.stack(halves, 1), (x - x.mean(0)).square().sum(1, keepdim=True) * n / (n - 1)
    total = spread.mean()
    if bool((x == x[0]).all()):
        raise UserError(f"all of {n} samples are the same; the model has collapsed, and no coordinate does anything")
    share = change.mean(0) / total
    error = (change - share * spread).std(0) / n**0.5 / total  # of a ratio of means
    return Effects(share, error, n)


def traverse(
    game: Game, code: Float[Tensor, " k"], coordinates: list[int], *, steps: int = 9, reach: float = 2.0,
    label: int | None = None, prior: Prior | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Examples (c, steps, *shape) of one code with one coordinate moved, a row for each, and their codes.

    Args:
        game: what decodes.
        code: (k,), the others' values.
        coordinates: which are moved.
        steps: even places from -reach to reach; an odd number has the mean in the middle.
        reach: in the prior's standard deviations from its mean; no further than a uniform prior goes.
        label: for a model that decodes under labels.
        prior: the game's, where it is known already.

    Raises:
        UserError: for a coordinate there isn't.
    """
    at_least("steps", steps, 2)
    prior = prior or Prior.of(game)
    k = len(prior.laws)
    if code.shape != (k,):
        raise UserError(f"the code has shape {tuple(code.shape)}; this model's codes have ({k},)")
    wrong = [j for j in coordinates if not 0 <= j < k]
    if wrong or not coordinates:
        raise UserError(f"coordinates {coordinates} of {k}; give some from 0 to {k - 1}")
    if not reach > 0:
        raise UserError(f"reach is {reach}; give a number of standard deviations above 0")
    places = torch.linspace(-reach, reach, steps, device=code.device, dtype=code.dtype)
    values = prior.restored(prior.inside(places[:, None].expand(-1, k)))
    codes = code.expand(len(coordinates), steps, k).clone()
    for row, j in enumerate(coordinates):
        codes[row, :, j] = values[:, j]
    return decoded(game, codes, label), codes
