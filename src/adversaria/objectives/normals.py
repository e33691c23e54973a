"""f-divergences of two normal distributions on the line, N(m, s^2) from N(n, t^2), where a closed form is known."""

import math
from collections.abc import Callable


def _kl(m: float, s: float, n: float, t: float) -> float:
    return math.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5


def _reverse_kl(m: float, s: float, n: float, t: float) -> float:
    return _kl(n, t, m, s)


def _pearson(m: float, s: float, n: float, t: float) -> float:
    """int p^2 / q - 1, infinite where p's tails are too heavy for q's."""
    v = 2 * t**2 - s**2
    return t**2 / (s * math.sqrt(v)) * math.exp((m - n) ** 2 / v) - 1 if v > 0 else math.inf


def _squared_hellinger(m: float, s: float, n: float, t: float) -> float:
    """2 - 2 int sqrt(p q)."""
    v = s**2 + t**2
    return 2 - 2 * math.sqrt(2 * s * t / v) * math.exp(-((m - n) ** 2) / (4 * v))


def _mass(low: float, high: float, mean: float, sd: float) -> float:
    a, b = (low - mean) / (sd * math.sqrt(2)), (high - mean) / (sd * math.sqrt(2))
    return 0.5 * (math.erf(b) - math.erf(a))


def _total_variation(m: float, s: float, n: float, t: float) -> float:
    """|P(I) - Q(I)| for the interval I between the points where the densities cross."""
    a, b = 1 / (2 * t**2) - 1 / (2 * s**2), m / s**2 - n / t**2  # log p/q = a x^2 + b x + c
    if a == 0:
        return math.erf(abs(m - n) / (2 * math.sqrt(2) * s))
    c = n**2 / (2 * t**2) - m**2 / (2 * s**2) + math.log(t / s)
    h = -0.5 * (b + math.copysign(math.sqrt(b**2 - 4 * a * c), b))
    low, high = sorted((h / a, c / h))
    return abs(_mass(low, high, m, s) - _mass(low, high, n, t))


CLOSED: dict[str, Callable[[float, float, float, float], float]] = {
    "kl": _kl,
    "reverse-kl": _reverse_kl,
    "pearson": _pearson,
    "squared-hellinger": _squared_hellinger,
    "total-variation": _total_variation,
}
"""From mean and standard deviation of P, then of Q."""
