"""A measured number and what must be known to read it."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error, the number of examples, and the protocol in words."""

    name: str
    value: float
    error: float
    """Standard error."""
    n: int
    unit: str
    protocol: str
    lower_is_better: bool = True

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g} +- {self.error:.2g} {self.unit} (n = {self.n}; {self.protocol})"


def mean(name: str, values: Float[Tensor, " n"], unit: str, protocol: str, *, lower_is_better: bool = True) -> Estimate:
    """The mean of independent values, with the standard error of a mean.

    Raises:
        ValueError: for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} values give no standard error; at least 2")
    x = values.double()
    error = float(x.std() / len(x) ** 0.5)
    return Estimate(name, float(x.mean()), error, len(x), unit, protocol, lower_is_better)
