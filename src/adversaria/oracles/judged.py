"""What an oracle says, and by what measure."""

from torch import Tensor

Told = tuple[bool | None, str] | None
"""Whether it holds, None where that can't be told, and the number that decides; None of a model it isn't for."""
EXACT = 1e-9
CHANCE = 1e-4
"""Below it a test's p is no chance."""
ERRORS = 5
"""Standard errors by which a mean may be off."""
FEW = 100
"""With fewer draws that count, a mean of weights has no standard error to go by."""


def mean_and_error(w: Tensor) -> tuple[float, float]:
    """The mean of draws (n,) and its standard error."""
    return float(w.mean()), float(w.std() / len(w) ** 0.5)
