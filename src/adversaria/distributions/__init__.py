"""Log-densities, divergences and units; everything in nats unless its name says otherwise.

Two laws that are known are compared exactly here: `kl`, `jensen_shannon` and `total_variation` by enumeration or
quadrature, `optimal_plan` (Wasserstein distances of discrete laws), `by_quantiles` (on the line), `sinkhorn`.
`objectives.FDivergence` has the other f-divergences, closed forms of normals, and their variational bounds. Two samples
are compared by `metrics` (`wasserstein`, `wasserstein_1d`, `sliced_wasserstein`, `mmd_test`, `energy_test`), and by the
best of a class of critics, `metrics.neural_distance`.
"""

from adversaria.distributions.bernoulli import log_bernoulli
from adversaria.distributions.divergences import jensen_shannon, kl, total_variation
from adversaria.distributions.grids import Grid, line, rectangle
from adversaria.distributions.logistic import log_discretised_logistic
from adversaria.distributions.normal import kl_from_standard, log_normal
from adversaria.distributions.transport import Plan, by_quantiles, optimal_plan, sinkhorn
from adversaria.distributions.units import bits_per_dim

__all__ = [
    "Grid", "Plan", "bits_per_dim", "by_quantiles", "jensen_shannon", "kl", "kl_from_standard", "line",
    "log_bernoulli", "log_discretised_logistic", "log_normal", "optimal_plan", "rectangle", "sinkhorn",
    "total_variation",
]  # fmt: skip
