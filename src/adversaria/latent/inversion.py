"""Codes for given examples, by descent from several starts."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.game import Game, seeded
from adversaria.latent.codes import Decode, decoder
from adversaria.latent.prior import Prior

ALIKE = 0.01
"""Starts agree whose errors differ by at most this share of what descent gained."""


@dataclass(frozen=True)
class Inversion:
    """The best code found for each of n examples, and how all starts fared."""

    codes: Float[Tensor, "n k"]
    examples: Float[Tensor, "n ..."]
    """What the codes decode to."""
    error: Float[Tensor, " n"]
    """Mean squared error of the best code."""
    errors: Float[Tensor, "n starts"]
    """The same of the best code of each start."""
    before: Float[Tensor, "n starts"]
    """The same of the starts themselves."""

    @property
    def agreeing(self) -> Float[Tensor, " n"]:
        """Share of the starts that end as well as the best, to 1% of its gain: where few do, more might find better."""
        gain = self.before.amin(1) - self.error
        return (self.errors - self.error[:, None] <= ALIKE * gain[:, None]).double().mean(1)

    def __str__(self) -> str:
        (low, middle, high), (n, starts) = _quartiles(self.error), self.errors.shape
        return (
            f"mean squared error {middle:.3g} (median of {n}; quartiles {low:.3g} to {high:.3g}), "
            f"{_quartiles(self.before.amin(1))[1]:.3g} at the best of {starts} starts; "
            f"{float(self.agreeing.mean()):.0%} of the starts end as well as the best"
        )


def invert(
    game: Game, x: Float[Tensor, "n ..."], *, starts: int = 8, steps: int = 400, rate: float = 0.2,
    weight: float = 0.0, label: int | None = None, seed: int = 0, chunk: int = 512,
) -> Inversion:  # fmt: skip
    """Codes whose examples are near to `x`, by Adam on the codes from starts that are drawn from the prior.

        min_z  mean (x - G(z))^2 + weight mean u(z)^2,   u the code in the prior's standard deviations

    The networks are at rest, and no gradient reaches them. The rate falls to 0 along half a cosine, and each start
    keeps the best code it came by, so that no start ends worse than it began. Codes of a uniform prior stay within its
    range; coordinates that are discrete keep what they were drawn as. With noise of standard deviation s about G(z) and
    a normal prior, weight = s^2 k / d gives the most probable code of k numbers for an example of d.

    Lipton and Tripathi (2017), arXiv:1702.04782 (codes kept in range); Creswell and Bharath (2016), arXiv:1611.05644.

    Args:
        game: what decodes.
        x: examples in game form.
        starts: for each example.
        steps: of Adam.
        rate: its first, in the prior's standard deviations.
        weight: of the prior; counts its normal coordinates.
        label: for a model that decodes under labels.
        seed: of the starts.
        chunk: codes at a time, those of all starts of some examples together.

    Raises:
        UserError: where the decoder draws noise, carries no derivative, or makes examples of another shape.
    """
    for what, value in (("starts", starts), ("steps", steps), ("number of examples", len(x))):
        at_least(what, value, 1)
    at_least("weight", weight, 0)
    if not rate > 0:
        raise UserError(f"rate is {rate}; give a number of standard deviations above 0")
    decode, prior = decoder(game, label), Prior.of(game)
    x = x.detach().to(game.device)
    z = game.latent(len(x) * starts, seed=seed)
    targets = x.repeat_interleave(starts, 0)
    with game.at_rest():
        _check(decode, z[:2], x)
        found = [
            _descend(decode, prior, z_part, x_part, steps, rate, weight)
            for z_part, x_part in zip(z.split(chunk), targets.split(chunk), strict=True)
        ]
        codes, errors, objectives, before = (
            torch.cat(parts).unflatten(0, (len(x), starts)) for parts in zip(*found, strict=True)
        )
        rows, best = torch.arange(len(x), device=x.device), objectives.argmin(1)
        codes = codes[rows, best]
        examples = torch.cat([decode(part) for part in codes.split(chunk)])
    return Inversion(codes, examples, errors[rows, best], errors, before)


def _descend(
    decode: Decode, prior: Prior, z: Tensor, x: Tensor, steps: int, rate: float, weight: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Of each row of z: the best code, its error, its objective, and the error before the first step."""
    held, normal = prior.where("discrete"), prior.where("normal")

    def measured(u: Tensor) -> tuple[Tensor, Tensor]:
        error = (decode(torch.where(held, z, prior.restored(u))) - x).square().flatten(1).mean(1)
        return error, error + weight * torch.where(normal, u, 0.0).square().mean(1)

    u = prior.standard(z).requires_grad_()
    adam = torch.optim.Adam([u], lr=rate, eps=1e-10)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    code, least = u.detach().clone(), torch.full_like(u[:, 0].detach(), torch.inf)
    before = best = least
    for step in range(steps + 1):
        with torch.enable_grad():
            error, now = measured(u)
            u.grad = _gradient(now.sum(), u)
        if step == 0 and not u.grad.any() and bool((error > 0).any()):
            raise UserError("decode carries no derivative: examples are rounded, drawn, or the same for all codes; "
                            "where the model encodes, encode(x) has the codes")  # fmt: skip
        error, now = error.detach(), now.detach()
        before = error if step == 0 else before
        better = now < least
        code = torch.where(better[:, None], u.detach(), code)
        least, best = torch.where(better, now, least), torch.where(better, error, best)
        if step < steps:
            adam.step()
            falling.step()
            u.copy_(prior.inside(u))
    return torch.where(held, z, prior.restored(code)), best, least, before


def _gradient(total: Tensor, u: Tensor) -> Tensor:
    """Of the codes alone: the networks' gradients stay as they are."""
    return torch.autograd.grad(total, u)[0] if total.requires_grad else torch.zeros_like(u)


def _check(decode: Decode, z: Tensor, x: Tensor) -> None:
    with seeded(0):
        first = decode(z)
    with seeded(1):
        second = decode(z)
    if not torch.equal(first, second):
        raise UserError("decode draws noise with every call, so no code has an error of its own; "
                        "where the model encodes, encode(x) has the codes")  # fmt: skip
    if first.shape[1:] != x.shape[1:]:
        raise UserError(f"examples have shape {tuple(x.shape[1:])} and the model makes {tuple(first.shape[1:])}")
    if not x.isfinite().all():
        raise UserError("an example is not finite; leave it out")


def _quartiles(values: Tensor) -> list[float]:
    at = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64, device=values.device)
    return values.double().quantile(at).tolist()
