"""Intervals of shares."""

import math

from scipy import stats

from adversaria.metrics.estimate import Z95


def exact_interval(count: int, n: int) -> tuple[float, float]:
    """95% interval of a binomial share (Clopper and Pearson 1934).

    >>> low, high = exact_interval(0, 100)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    low = float(stats.beta.ppf(0.025, count, n - count + 1)) if count else 0.0
    return low, float(stats.beta.ppf(0.975, count + 1, n - count)) if count < n else 1.0


def score_interval(share: float, error: float, n: int) -> tuple[float, float] | None:
    """95% interval (Wilson 1927) of a share, at the sample size p (1 - p) / error^2 at which it would have this error.

    At size n where the share is 0 or 1 or the error 0; none where the error isn't known.

    >>> low, high = score_interval(0.5, 0.05, 1000)
    >>> round(low, 4), round(high, 4)
    (0.4038, 0.5962)
    """
    if math.isnan(error):
        return None
    size = share * (1 - share) / error**2 if error > 0 and 0 < share < 1 else n
    centre = share + Z95**2 / (2 * size)
    width = Z95 * math.sqrt(share * (1 - share) / size + (Z95 / (2 * size)) ** 2)
    scale = 1 + Z95**2 / size
    low = max(0.0, (centre - width) / scale) if share > 0 else 0.0
    return low, min(1.0, (centre + width) / scale) if share < 1 else 1.0
