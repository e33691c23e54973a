"""Paths between codes, straight and on the sphere."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.game import Game
from adversaria.latent.codes import decoded, decoder
from adversaria.latent.prior import Prior

Way = Literal["spherical", "linear"]


def linear(a: Float[Tensor, "n k"], b: Float[Tensor, "n k"], steps: int) -> Float[Tensor, "n {steps} k"]:
    """Straight paths z(t) = (1 - t) a + t b at `steps` even places t from 0 to 1; both ends are exact."""
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype)[:, None]
    return _with_ends((1 - t) * a[:, None] + t * b[:, None], a, b)


def spherical(a: Float[Tensor, "n k"], b: Float[Tensor, "n k"], steps: int) -> Float[Tensor, "n {steps} k"]:
    """Paths along the great circle through both directions, at constant angular speed; the length changes evenly.

        z(t) = |z|(t) (sin((1 - t) w) a / |a| + sin(t w) b / |b|) / sin w,   |z|(t) = (1 - t) |a| + t |b|

    w is the angle between a and b. For codes of one length it is the usual formula, applied to the codes themselves;
    for others that one's angular speed isn't constant. Where both point the same way, opposite ways, or one is 0, no
    one circle is determined and the path is straight. Both ends are exact.

    Shoemake (1985) for rotations; White (2016), arXiv:1609.04468, Section 2.1, for normal codes: they lie near a
    sphere, and a straight path's middle is closer to the mean than any draw.
    """
    t = torch.linspace(0, 1, steps, device=a.device, dtype=torch.float64)[:, None]
    lengths = [z.double().norm(dim=1)[:, None, None] for z in (a, b)]
    u, v = (z.double()[:, None] / r.clamp(min=1e-300) for z, r in zip((a, b), lengths, strict=True))
    # Precise for small angles and for large, where the arc cosine of the inner product isn't.
    near, far = (u - v).norm(dim=2, keepdim=True), (u + v).norm(dim=2, keepdim=True)
    w = 2 * torch.atan2(near, far)
    direction = (((1 - t) * w).sin() * u + (t * w).sin() * v) / w.sin()
    round_ = (((1 - t) * lengths[0] + t * lengths[1]) * direction).to(a)
    determined = (near > 1e-7) & (far > 1e-7) & (lengths[0] > 0) & (lengths[1] > 0)
    return _with_ends(torch.where(determined, round_, linear(a, b, steps)), a, b)


def interpolate(
    game: Game, a: Float[Tensor, "n k"], b: Float[Tensor, "n k"], steps: int = 9, *, way: Way | None = None,
    label: int | None = None, prior: Prior | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Examples (n, steps, *shape) on the paths from each code of `a` to that of `b`, and their codes (n, steps, k).

    Args:
        game: what decodes.
        a: where each path begins (n, k).
        b: where it ends.
        steps: examples on a path, ends included.
        way: "spherical", about the prior's mean, or "linear"; None for what suits the prior.
        label: for a model that decodes under labels.
        prior: the game's, where it is known already.

    Raises:
        UserError: for a spherical path where the prior isn't normal, or codes that don't match.
    """
    at_least("steps", steps, 2)
    decoder(game, label)
    prior = prior or Prior.of(game)
    if a.ndim != 2 or a.shape != b.shape or a.shape[1] != len(prior.laws):
        raise UserError(f"codes {tuple(a.shape)} and {tuple(b.shape)}; give two of one shape (n, {len(prior.laws)})")
    way = way or ("spherical" if prior.law == "normal" else "linear")
    if way == "linear":
        codes = linear(a, b, steps)
    elif way != "spherical":
        raise UserError(f"way is '{way}'; give 'spherical' or 'linear'")
    elif prior.law != "normal":
        law = "neither normal nor uniform" if prior.law == "other" else prior.law
        raise UserError(f"a spherical path is for normal codes, and this model's are {law}; take the linear way")
    else:
        path = prior.restored(spherical(prior.standard(a), prior.standard(b), steps))
        codes = _with_ends(path, a, b)
    return decoded(game, codes, label), codes


def _with_ends(path: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The path with its ends free of rounding."""
    path[:, 0], path[:, -1] = a, b
    return path
