"""Numbers in words: four significant digits, always with their error where there is one."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SEPARATE = 2.0
"""Two means differ where their intervals of this many standard errors to each side don't touch."""


def number(value: Any) -> float:
    """A value of a JSON file as a float, "inf" and "-inf" among them; nan for what is no number."""
    if value in ("inf", "-inf"):
        return float(value)
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan


def figure(value: Any) -> str:
    """A number with four significant digits.

    >>> figure(0.82580154), figure(103946.1), figure(3), figure(float("nan")), figure(1e-8)
    ('0.8258', '103,900', '3', 'not finite', '1e-08')
    """
    v = number(value)
    if not math.isfinite(v):
        return "not finite"
    v = float(f"{v:.3e}")
    return f"{v:,.0f}" if 1e4 <= abs(v) < 1e9 else f"{v:.4g}"


def count(value: Any) -> str:
    """A whole number with its thousands set apart."""
    v = number(value)
    return f"{v:,.0f}" if math.isfinite(v) else "unknown"


def with_error(value: Any, error: Any) -> str:
    """A number and its standard error, this with two significant digits.

    >>> with_error(0.82580154, 0.06288), with_error(0.00078504, 0.0000678)
    ('0.8258 ± 0.063', '(7.85 ± 0.68) × 10⁻⁴')
    """
    v, e = number(value), number(error)
    if not math.isfinite(v) or not math.isfinite(e):
        return f"{figure(v)} (no error known)" if math.isfinite(v) else figure(v)
    power = math.floor(math.log10(abs(v))) if v else 0
    if -4 < power < 6:
        return f"{figure(v)} ± {e:.2g}"
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"({v / 10.0**power:.4g} ± {e / 10.0**power:.2g}) × 10{raised}"


def duration(seconds: float) -> str:
    """A stretch of time in the units one would say it in.

    >>> duration(8.31), duration(75), duration(7_320)
    ('8.3 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.2g} s"
    minutes, hours = round(seconds) // 60, round(seconds) // 3600
    return f"{hours:,} h {minutes % 60} min" if hours else f"{minutes} min {round(seconds) % 60} s"


def protocol(told: Any) -> str:
    """A protocol in words, from its facts or as an older log spells it.

    >>> protocol({"data": "digits", "n_real": 180})
    'data digits, n real 180'
    """
    if isinstance(told, Mapping) and told:
        return ", ".join(f"{str(key).replace('_', ' ')} {value}" for key, value in told.items())
    return str(told or "protocol unknown")


def clip(text: str, most: int) -> str:
    """A text, cut where it is too long."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def date(seconds: Any) -> str:
    """A moment, given in seconds since 1970."""
    try:
        return f"{datetime.fromtimestamp(number(seconds), UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return "unknown"


def on_neighbours(samples: Mapping[str, Any], held_out: Mapping[str, Any]) -> str:
    """What the samples' distance to the training set says next to that of held-out data."""
    a, b = number(samples.get("mean")), number(held_out.get("mean"))
    reach = SEPARATE * (number(samples.get("error")) + number(held_out.get("error")))
    if not math.isfinite(a - b) or not math.isfinite(reach):
        return "Nothing to compare: there are no numbers for both."
    if a + reach < b:
        return "Samples lie closer to the training set than held-out data do: look for copies."
    if a > b + reach:
        return (
            "Samples lie farther from the training set than held-out data do: no sign of copying on average, "
            "and by this distance they aren't yet like the data."
        )
    return "The two intervals overlap: no difference that these errors could show."


def with_interval(value: Any, low: Any, high: Any) -> str:
    """A number and its 95% interval, to two significant digits of the interval's width; an open end is ∞.

    >>> with_interval(0.82580154, 0.7026, 0.949), with_interval(41, 12, math.inf), with_interval(3, math.nan, 4)
    ('0.83 [0.70, 0.95]', '41 [12, ∞)', '3 (no interval known)')
    """
    v, a, b = number(value), number(low), number(high)
    if math.isnan(v) or math.isnan(a) or math.isnan(b):
        return figure(v) if math.isnan(v) else f"{_end(v, None)} (no interval known)"
    width = b - a
    small = max(map(abs, (x for x in (v, a, b) if math.isfinite(x))), default=0.0)
    places = max(0, 1 - math.floor(math.log10(width))) if 0 < width < math.inf and 1e-3 <= small < 1e6 else None
    left = f"[{_end(a, places)}" if math.isfinite(a) else f"({_end(a, None)}"
    return f"{_end(v, places)} {left}, {_end(b, places)}" + ("]" if math.isfinite(b) else ")")


def _end(v: float, places: int | None) -> str:
    """A number to so many places, or to four digits, with signs for what is not finite."""
    if math.isinf(v):
        return "∞" if v > 0 else "-∞"
    return figure(v) if places is None else f"{v:,.{places}f}"


def probability(p: float) -> str:
    """A p-value to two significant digits.

    >>> probability(0.0312), probability(1.2e-7), probability(1.0)
    ('0.031', '1.2e-07', '1')
    """
    return f"{p:.2g}" if math.isfinite(p) else "not finite"


def deviations(excess: float) -> str:
    """An excess over a null in its standard deviations.

    >>> deviations(0.43), deviations(-12.2), deviations(2310)
    ('+0.4 sd', '-12 sd', '+2,310 sd')
    """
    return f"{excess:+,.{int(abs(excess) < 10)}f} sd"
