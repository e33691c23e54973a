"""Where a game is going: its vector field, the eigenvalues of the field's Jacobian, and how much of it turns.

Gradient play follows dw/dt = -v(w), v the players' gradients of their own losses. A fixed point attracts it iff every
eigenvalue of J = dv/dw has a positive real part (Mescheder et al. 2017, arXiv:1705.10461, Section 3.1, who write v
with the other sign); imaginary parts turn it. One player's J is a Hessian, whose eigenvalues are real.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.data.spec import Batch
from adversaria.diagnose.field import Field
from adversaria.diagnose.untouched import drawn, stage_of, untouched
from adversaria.errors import UserError, at_least
from adversaria.game.game import Game
from adversaria.game.rounds import Indexed
from adversaria.game.stage import Stage
from adversaria.metrics.estimate import Estimate, mean

DENSE = 200
"""Up to so many parameters the whole Jacobian is taken."""
MEMORY = 2**30
"""Bytes that the basis of a Krylov space may take."""


def vector_field(
    game: Game, batch: Batch, *, stage: str | Stage | None = None, seed: int = 0
) -> Float[Tensor, " n"]:  # fmt: skip
    """The field v of gradient play where the game is: each player's gradient of its own loss, one after the other.

        v(w) = (grad_{w_1} L_1, grad_{w_2} L_2, ...)

    In float64, on one batch and the noise of one seed, which all players look at. A parameter that several players
    own occurs once and has the sum of their gradients. Rates and moves per round don't enter; what a player's `after`
    moves (a codebook, a rollout policy) is held.

    Args:
        game: left as it is.
        batch: examples that the gradients are taken on.
        stage: a stage of the game or its name; None for the last one.
        seed: of the noise.

    Raises:
        UserError: where a gradient is not finite.
    """
    with untouched(game, torch.float64):
        return Field(game, stage_of(game, stage), batch, seed)()


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of J = dv/dw at a point. Play dw/dt = -v multiplies a direction by exp(-lambda t)."""

    leading: np.ndarray
    """Largest in modulus first (k,), complex; one more where k would cut a conjugate pair."""
    lowest: complex
    """The one of the smallest real part (of a pair, the one of positive imaginary part)."""
    error: float
    """Largest residual |J q - lambda q| of the leading ones, q of unit length; 0 where J is known whole."""
    lowest_error: float
    """The same of the lowest."""
    parameters: int
    evaluations: int
    """Evaluations of v it took."""
    kinks: int
    """Directions along which a kink or a jump was too near for an exact derivative."""
    norm: float
    """Of v: 0 at a fixed point."""
    protocol: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rotation(self) -> float:
        """How much of the leading eigenvalues turns: sum |Im| / sum |lambda|; 0 of a potential, 1 of a rotation."""
        total = np.abs(self.leading).sum()
        return float(np.abs(self.leading.imag).sum() / total) if total else 0.0

    @property
    def attracting(self) -> bool | None:
        """Whether all real parts are above 0, None where the lowest lies within its error of it.

        A statement on a fixed point where `norm` is small; elsewhere on whether neighbouring plays draw together.
        """
        margin = max(self.lowest_error, 1e-9 * float(np.abs(self.leading).max(initial=0.0)))
        return None if abs(self.lowest.real) <= margin else self.lowest.real > 0

    def __str__(self) -> str:
        shown = ", ".join(f"{z.real:.3g}{z.imag:+.3g}i" if abs(z.imag) > 0 else f"{z.real:.3g}" for z in self.leading)
        return (f"leading eigenvalues {shown} (residual {self.error:.1g}); smallest real part {self.lowest.real:.3g} "
                f"(residual {self.lowest_error:.1g}); turning {self.rotation:.2f}")  # fmt: skip


def jacobian_eigenvalues(
    game: Game, batch: Batch, *, stage: str | Stage | None = None, k: int = 6, seed: int = 0, products: int = 80,
    tolerance: float = 1e-3,
) -> Spectrum:  # fmt: skip
    """Eigenvalues of the Jacobian of the game's field: the k largest in modulus, and the one of smallest real part.

        J = dv/dw,   J u by differences of v in float64

    Of games of up to 200 parameters J is taken whole; of others one Krylov space (Arnoldi's iteration, whole
    reorthogonalisation) gives both ends of the spectrum with their residuals, and ends at `products` products. Of a
    matrix that is far from normal an eigenvalue may be farther off than its residual.

    Args:
        game: left as it is.
        batch: examples that the gradients are taken on.
        stage: a stage of the game or its name; None for the last one.
        k: leading eigenvalues.
        seed: of the noise and of the first vector.
        products: products with J at most.
        tolerance: largest residual relative to the largest eigenvalue.

    Berard et al. (2020), arXiv:1906.04848, Section 4; Arnoldi (1951).

    Raises:
        UserError: where a gradient is not finite.
    """
    at_least("k", k, 1)
    at_least("products", products, k + 2)
    with untouched(game, torch.float64):
        v = Field(game, stage_of(game, stage), batch, seed)
        v.settle()
        if v.size <= DENSE:
            eye = torch.eye(v.size, dtype=v.v0.dtype, device=v.v0.device)
            J = torch.stack([v.along(e) for e in eye], 1)
            values = np.linalg.eigvals(J.cpu().numpy())
            errors = np.zeros(len(values))
        else:
            generator = torch.Generator().manual_seed(seed)
            start = torch.randn(v.size, generator=generator, dtype=v.v0.dtype).to(v.v0)
            values, errors = arnoldi(v.along, start, k, min(products, MEMORY // (8 * v.size)), tolerance)
    return _spectrum(values, errors, k, v)


def arnoldi(
    product: Callable[[Tensor], Tensor], start: Float[Tensor, " n"], k: int, most: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ritz values of a matrix given by its products, and their residuals: of m products, m of each.

        J Q = Q H + h q e_m',   |J Q y - lambda Q y| = h |y_m|

    It ends once the k largest and the one of smallest real part have residuals below `tolerance` times the largest.
    """
    basis = [start / start.norm()]
    most = max(2, min(most, len(start)))
    H = np.zeros((most + 1, most))
    for j in range(most):
        w = product(basis[j])
        size, Q = float(w.norm()), torch.stack(basis)
        for _ in range(2):  # twice is enough for orthogonality to the last digits
            c = Q @ w
            w = w - c @ Q
            H[: j + 1, j] += c.cpu().numpy()
        rest = float(w.norm())
        H[j + 1, j] = rest if rest > 1e-12 * size else 0.0
        m = j + 1
        if H[m, j] == 0 or m == most or (m >= k + 2 and m % 5 == 0):
            values, y = np.linalg.eig(H[:m, :m])
            errors = H[m, j] * np.abs(y[-1])
            sought = [*np.argsort(-np.abs(values))[:k], np.argmin(values.real)]
            if H[m, j] == 0 or m == most or errors[sought].max() <= tolerance * np.abs(values).max():
                break
        basis.append(w / rest)
    return values, errors


def _spectrum(values: np.ndarray, errors: np.ndarray, k: int, v: Field) -> Spectrum:
    values = np.asarray(values, dtype=complex)
    order = sorted(range(len(values)), key=lambda i: (-round(float(abs(values[i])), 12), -float(values[i].imag)))
    k = min(k, len(order))
    last, after = values[order[k - 1]], values[order[k]] if k < len(order) else None
    cut = after is not None and abs(last.imag) > 0 and abs(after - last.conjugate()) <= 1e-9 * abs(last)
    chosen = order[: k + 1] if cut else order[:k]
    low = min(order, key=lambda i: (round(float(values[i].real), 12), -float(values[i].imag)))
    facts = {"stage": v.stage.name, "batch": len(v.batch), "noise_seed": v.seed, "k": k}
    return Spectrum(
        values[chosen], complex(values[low]), float(errors[chosen].max()),
        float(errors[low]), v.size, v.evaluations, v.broken, float(v.v0.norm()), facts,
    )  # fmt: skip


def rotation_index(
    game: Game, batches: Indexed | Iterable[Any], *, stage: str | Stage | None = None, k: int = 6, count: int = 3,
    seed: int = 0, products: int = 80,
) -> Estimate:  # fmt: skip
    """How much of the game's leading eigenvalues turns, 0 to 1: mean over batches, each with noise of its own.

        sum_i |Im lambda_i| / sum_i |lambda_i|,   i = 1 .. k

    0 of one player and of any potential game, 1 of a zero-sum game that is bilinear. The standard error is that over
    batches. Details: the ratio |Im| / |Re| of the leading eigenvalue (median over batches), the smallest real part.

    Args:
        game: left as it is.
        batches: at least two.
        stage: a stage of the game or its name; None for the last one.
        k: leading eigenvalues.
        count: batches looked at, where there are more.
        seed: of the noise; batch i has seed + i.
        products: products with the Jacobian at most, a batch.

    After Berard et al. (2020), arXiv:1906.04848.

    Raises:
        UserError: for fewer than two batches, a field that doesn't change, or a gradient that is not finite.
    """
    some = drawn(batches, count, "batches")
    if len(some) < 2:
        raise UserError(f"{len(some)} batch says nothing of the spread between batches; give at least 2")
    spectra = [
        jacobian_eigenvalues(game, batch, stage=stage, k=k, seed=seed + i, products=products)
        for i, batch in enumerate(some)
    ]
    if not all(np.abs(s.leading).max() > 0 for s in spectra):
        raise UserError("the players' gradients don't change with the parameters; there is nothing that could turn")
    values = torch.tensor([s.rotation for s in spectra], dtype=torch.float64)
    first = [s.leading[0] for s in spectra]
    with np.errstate(divide="ignore"):
        ratios = [float(np.abs(z.imag) / np.abs(z.real)) if z.imag else 0.0 for z in first]
    found = mean("rotation index", values, "", {**spectra[0].protocol, "batches": len(some)})
    details = {"ratio": float(np.median(ratios)), "lowest": min(s.lowest.real for s in spectra),
               "residual": max(s.error for s in spectra), "modulus": float(np.median(np.abs(first)))}  # fmt: skip
    return Estimate(found.name, found.value, found.error, len(some), "", found.protocol, None, details=details,
                    bias="of the leading eigenvalues only")  # fmt: skip
