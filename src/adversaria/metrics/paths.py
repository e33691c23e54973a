"""Path length: how fast a decoder's output moves along a path between two latent codes, by exact derivatives."""

import math
import warnings
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.estimate import Estimate

Decode = Callable[[Tensor], Tensor]


def path_length(
    decode: Decode, *, z0: Float[Tensor, "n ..."], z1: Float[Tensor, "n ..."], features: Decode | None = None,
    way: Literal["spherical", "linear"] = "spherical", t: float | None = None, trim: float = 0.0, chunk: int = 64,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Mean squared speed of the decoded features along a path between two codes.

        E |d/dt f(G(z(t)))|^2,   z(0) = z0, z(1) = z1, t uniform on (0, 1)

    The derivative itself, by forward-mode differentiation, so that no step has to be chosen, and rounding of images to
    whole numbers, where it would decide the result, shows as an error. Differentiated twice in reverse where an
    operation lacks a forward rule. `decode` must treat rows apart (evaluation mode). For a linear G along the straight
    path it is E |W (z1 - z0)|^2. A low value says smooth, and a decoder that collapsed has 0.

    Karras et al. (2019), arXiv:1812.04948, Section 4.1, in the limit of their step; spherical paths for normal codes,
    White (2016), arXiv:1609.04468.

    Args:
        decode: codes to examples; differentiable.
        z0: where each path begins.
        z1: where it ends.
        features: of examples, in which speed is measured; the examples' own numbers where None.
        way: along the great circle through both codes' directions, or straight.
        t: one place on every path; uniform where None.
        trim: share of the paths left out at either end, smallest and largest (others' published numbers use 0.01).
        chunk: paths at a time.
        seed: of the places on the paths.

    Raises:
        UserError: for codes that don't match or are fewer than two, opposite codes on a spherical path, or a decoder
            that carries no derivative or gives what is not finite.
    """
    _check(z0, z1, way, t, trim)
    n = len(z0)
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(n, generator=generator, dtype=torch.float64) if t is None else torch.full((n,), float(t))
    start, end = z0.detach().flatten(1), z1.detach().flatten(1)
    code, speed = (spherical if way == "spherical" else linear)(start, end, places.to(start)[:, None])

    def decoded(z: Tensor) -> Tensor:
        x = decode(z.view(len(z), *z0.shape[1:]))
        return (x if features is None else features(x)).flatten(1)

    pairs = zip(code.split(chunk), speed.split(chunk), strict=True)
    rates = torch.cat([_derivative(decoded, z, dz) for z, dz in pairs])
    squares = rates.square().sum(1)
    if not squares.isfinite().all():
        raise UserError(f"{int((~squares.isfinite()).sum())} of {n} derivatives are not finite; look at the decoder")
    if not squares.any():
        _check_derivative(decoded, code[:chunk])
    value, error = _trimmed_mean(squares, trim)
    protocol = {
        "paths": n, "way": way, "t": "uniform" if t is None else t, "trim": trim, "seed": seed,
        "latent": start.shape[1], "d": rates.shape[1], "dtype": str(z0.dtype).removeprefix("torch."),
    }  # fmt: skip
    details = {"median": float(squares.median()), "largest": float(squares.max())}
    return Estimate("path length", value, error, n, "squared features", protocol, None, details=details,
                    bias="none" if not trim else "trimmed: below the mean of all paths")  # fmt: skip


def linear(z0: Float[Tensor, "n d"], z1: Float[Tensor, "n d"], t: Float[Tensor, "n 1"]) -> tuple[Tensor, Tensor]:
    """The point at t on the straight path and its velocity."""
    return z0 + t * (z1 - z0), z1 - z0


def spherical(z0: Float[Tensor, "n d"], z1: Float[Tensor, "n d"], t: Float[Tensor, "n 1"]) -> tuple[Tensor, Tensor]:
    """The point at t on the spherical path and its velocity.

        z(t) = (sin((1 - t) a) z0 + sin(t a) z1) / sin a,   a the angle between z0 and z1

    Where the directions agree, the straight path, which is its limit.

    Raises:
        UserError: for codes in opposite directions, between which there is no one path.
    """
    u, v = (z.double() / z.double().norm(dim=1, keepdim=True) for z in (z0, z1))
    # Precise for small angles and for large, where the arc cosine of the inner product isn't.
    a = 2 * torch.atan2((u - v).norm(dim=1, keepdim=True), (u + v).norm(dim=1, keepdim=True))
    if not bool((a < math.pi - 1e-6).all()):
        raise UserError("a pair of codes is opposite, or a code is 0: no spherical path; use way='linear'")
    a = a.clamp(min=1e-6).to(z0)  # where the path is straight to rounding
    s = a.sin()
    code = (((1 - t) * a).sin() * z0 + (t * a).sin() * z1) / s
    return code, a * ((t * a).cos() * z1 - ((1 - t) * a).cos() * z0) / s


def _check(z0: Tensor, z1: Tensor, way: str, t: float | None, trim: float) -> None:
    if z0.shape != z1.shape or z0.ndim < 2 or len(z0) < 2:
        raise UserError(f"z0 {tuple(z0.shape)} and z1 {tuple(z1.shape)}; give two or more pairs of codes of one shape")
    if not (z0.isfinite().all() and z1.isfinite().all()):
        raise UserError("a code is not finite; draw codes from the prior")
    if way not in ("spherical", "linear"):
        raise UserError(f"way is '{way}'; give 'spherical' or 'linear'")
    if t is not None and not 0 <= t <= 1:
        raise UserError(f"t is {t}; give a place from 0 to 1, or None for uniform ones")
    if not 0 <= trim < 0.5:
        raise UserError(f"trim is {trim}; give a share below 0.5")


def _derivative(function: Decode, z: Tensor, dz: Tensor) -> Tensor:
    """J dz for each row, in float64."""
    try:
        with warnings.catch_warnings():  # torch's own first use of forward mode warns of torch.jit
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)
            both = torch.func.jvp(function, (z,), (dz,))
            return _where_finite(both[0], both[1])
    except (NotImplementedError, RuntimeError) as problem:
        if "forward AD" not in str(problem) and "jvp" not in str(problem):
            raise
    with torch.enable_grad():
        z = z.clone().requires_grad_()
        out = function(z)
        probe = torch.zeros_like(out, requires_grad=True)
        try:
            (back,) = torch.autograd.grad(out, z, probe, create_graph=True)
            return _where_finite(out, torch.autograd.grad(back, probe, dz)[0])
        except (NotImplementedError, RuntimeError) as problem:
            raise UserError(f"decode has no derivative along a path ({problem}); replace that operation") from problem


def _where_finite(out: Tensor, rate: Tensor) -> Tensor:
    """The rates in float64, nan where the output itself isn't finite."""
    return rate.detach().double().masked_fill(~out.detach().isfinite(), math.nan)


def _check_derivative(function: Decode, z: Tensor) -> None:
    """A speed of 0 everywhere is true of a decoder whose output doesn't depend on its code, and of no other."""
    with torch.no_grad():
        out = function(z)
    if len(out) > 1 and bool((out != out[0]).any()):
        raise UserError("decode carries no derivative (rounded, detached or in inference mode); give one that does")


def _trimmed_mean(values: Tensor, trim: float) -> tuple[float, float]:
    """Mean without a share of the values at either end, and its standard error (from the winsorised variance)."""
    n = len(values)
    cut = int(n * trim)
    inside = values.sort().values[cut : n - cut]
    spread = float(values.clamp(inside[0], inside[-1]).std())
    return float(inside.mean()), spread / ((1 - 2 * cut / n) * n**0.5)
