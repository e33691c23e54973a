"""The kernel distance between two samples: squared maximum mean discrepancy over all pairs, with its standard error."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate

CHUNK = 2048
Kernel = Callable[[Tensor, Tensor], Tensor]


def kernel_distance(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], degree: int = 3, gamma: float | None = None,
    coef: float = 1.0,
) -> Estimate:  # fmt: skip
    """Squared maximum mean discrepancy of a polynomial kernel: the U-statistic over all pairs, nothing subsampled.

        E k(x, x') + E k(y, y') - 2 E k(x, y),   k(x, y) = (gamma x . y + coef)^degree

    Unbiased, so it may be below 0. Its variance is that of the U-statistic's parts, each estimated without bias:

        4 V(a)/n + 4 V(b)/m + 2 Z_xx/(n(n-1)) + 2 Z_yy/(m(m-1)) + 4 Z_xy/(nm)

    with a(x) = E k(x, x') - E k(x, y), b likewise, and Z the mean square of the kernel less its row and column means.
    The terms in Z are all that is left where both laws are the same. It depends on the features' scale, and its error
    is finite only where they have six moments (twice `degree`).

    Bińkowski et al. (2018), arXiv:1801.01401; variance by the decomposition of Hoeffding (1948), as in Sutherland et
    al. (2017), arXiv:1611.04488, here for unequal sizes.

    Args:
        real: reference features.
        generated: features of the model's examples.
        degree: of the polynomial.
        gamma: 1/d where None.
        coef: added to the scaled inner product.

    Raises:
        UserError: where the sets differ in width, have fewer than 4 rows, or hold what is not finite.
    """
    checked(4, real=real, generated=generated)
    if degree < 1 or int(degree) != degree:
        raise UserError(f"degree is {degree}; give a whole number, 1 or more")
    gamma = 1 / real.shape[1] if gamma is None else gamma

    def polynomial(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T).mul_(gamma).add_(coef).pow_(degree)

    x, y = real.detach(), generated.detach().to(real)
    value, error, details, on_reference = two_sample(_within(x, polynomial), _within(y, polynomial),
                                                     _between(x, y, polynomial))  # fmt: skip
    if not (math.isfinite(value) and math.isfinite(error)):
        raise UserError(f"the kernel overflows {x.dtype}; divide the features by their standard deviation")
    protocol = facts(real=real, generated=generated) | {"degree": degree, "gamma": gamma, "coef": coef}
    return Estimate("kernel distance", value, error, len(y), protocol=protocol, details=details,
                    bias="none; below 0 by chance where the laws are close",
                    on_reference=on_reference.cpu().numpy())  # fmt: skip


@dataclass(frozen=True)
class Sums:
    """What is kept of a kernel matrix: sums of its rows, columns and squares, without the diagonal within a set."""

    rows: Tensor
    columns: Tensor
    squares: float


def _within(x: Tensor, kernel: Kernel) -> Sums:
    """Sums over pairs i != j of one set; a block above the diagonal serves twice.

    Sums within a block are in the features' precision (its rounding averages out over rows), over blocks in float64.
    """
    n = len(x)
    rows, squares = torch.zeros(n, dtype=torch.float64, device=x.device), 0.0
    for i in range(0, n, CHUNK):
        for j in range(i, n, CHUNK):
            k = kernel(x[i : i + CHUNK], x[j : j + CHUNK])
            if i == j:
                k.fill_diagonal_(0)
            else:
                rows[j : j + CHUNK] += k.sum(0)
            rows[i : i + CHUNK] += k.sum(1)
            squares += (1 if i == j else 2) * _squares(k)
    return Sums(rows, rows, squares)


def _between(x: Tensor, y: Tensor, kernel: Kernel) -> Sums:
    """Sums over all pairs of one of x and one of y."""
    rows = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    columns, squares = torch.zeros(len(y), dtype=torch.float64, device=x.device), 0.0
    for i in range(0, len(x), CHUNK):
        for j in range(0, len(y), CHUNK):
            k = kernel(x[i : i + CHUNK], y[j : j + CHUNK])
            rows[i : i + CHUNK] += k.sum(1)
            columns[j : j + CHUNK] += k.sum(0)
            squares += _squares(k)
    return Sums(rows, columns, squares)


def _squares(k: Tensor) -> float:
    return float(torch.linalg.vector_norm(k, dim=1).double().square().sum())


def two_sample(xx: Sums, yy: Sums, xy: Sums) -> tuple[float, float, dict[str, float], Tensor]:
    """Value, standard error, details and the influence of each x, from three kernel matrices' sums."""
    n, m = len(xx.rows), len(yy.rows)
    value = float(xx.rows.sum()) / (n * (n - 1)) + float(yy.rows.sum()) / (m * (m - 1)) - 2 * float(xy.rows.mean()) / m
    z_xx, z_yy = _residual_within(xx), _residual_within(yy)
    z_xy = _residual_between(xy)
    # A row's mean over the others holds its own projection (n - 2)/(n - 1) times; V(a) is what pairs don't explain.
    a = xx.rows / (n - 2) - xy.rows / m
    b = yy.rows / (m - 2) - xy.columns / n
    v_a = max(float(a.var()) - z_xx / (n - 2) - z_xy / m, 0.0)
    v_b = max(float(b.var()) - z_yy / (m - 2) - z_xy / n, 0.0)
    from_x = 4 * v_a / n + 2 * z_xx / (n * (n - 1))
    from_y = 4 * v_b / m + 2 * z_yy / (m * (m - 1))
    between = 4 * z_xy / (n * m)
    details = {
        "real_pairs": float(xx.rows.sum()) / (n * (n - 1)), "generated_pairs": float(yy.rows.sum()) / (m * (m - 1)),
        "cross_pairs": float(xy.rows.mean()) / m, "error_real": math.sqrt(from_x), "error_generated": math.sqrt(from_y),
        "error_if_same": math.sqrt(2 * z_xx / (n * (n - 1)) + 2 * z_yy / (m * (m - 1)) + between),
    }  # fmt: skip
    influence = a - a.mean()
    spread = float(influence.var())
    if spread > 0:
        influence *= math.sqrt(from_x * n / spread)
    return value, math.sqrt(from_x + from_y + between), details, influence


def _residual_within(k: Sums) -> float:
    """E of the squared kernel less its projections, without bias (a U-centred matrix; Székely and Rizzo 2014)."""
    n, total = len(k.rows), float(k.rows.sum())
    centred = k.squares - 2 * float(k.rows.square().sum()) / (n - 2) + total**2 / ((n - 1) * (n - 2))
    return max(centred, 0.0) / (n * (n - 3))


def _residual_between(k: Sums) -> float:
    """E of the squared kernel less its row and column means, without bias: the interaction of a two-way table."""
    n, m, total = len(k.rows), len(k.columns), float(k.rows.sum())
    rows, columns = float(k.rows.square().sum()) / m, float(k.columns.square().sum()) / n
    return max(k.squares - rows - columns + total**2 / (n * m), 0.0) / ((n - 1) * (m - 1))
