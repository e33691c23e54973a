"""Small drawings inside the text, as SVG that takes the page's colours: states, excesses, intervals, seeds."""

import math
from collections.abc import Iterable, Sequence

from adversaria.report.estimates import Told
from adversaria.report.markup import Html, tag

WIDTH = 150
HEIGHT = 22
WORST, BEST = 1000.0, -30.0
"""Ends of the axis of excesses, in the null's standard deviations."""
STATES = ("fail", "inconclusive", "pass", "not applicable")
"""Of verdicts, the most pressing first."""
SHAPES = {
    "fail": ("M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z", "M5 5l6 6M11 5l-6 6"),
    "inconclusive": ("M8 .4L15.6 8L8 15.6L.4 8zM8 3.2L3.2 8L8 12.8L12.8 8z", ""),
    "pass": ("M8 .8a7.2 7.2 0 1 0 .01 0z", "M4.6 8.3l2.4 2.4L11.5 5.8"),
    "not applicable": ("", "M3 8h10"),
}
"""An octagon with a cross, a hollow diamond, a disc with a tick, a dash."""


def kind(state: str) -> str:
    """The class of a state; one that nobody knows looks inconclusive."""
    return (state if state in STATES else "inconclusive").replace(" ", "-")


def icon(state: str) -> Html:
    """A state's shape."""
    body, sign = SHAPES[state if state in SHAPES else "inconclusive"]
    shapes = [tag("path", d=d, class_=name) for name, d in (("body", body), ("sign", sign)) if d]
    return _svg(16, 16, *shapes, class_=f"icon {kind(state)}", hidden=True)


def badge(state: str) -> Html:
    """A state by shape and word."""
    return tag("span", icon(state), state, class_=f"state {kind(state)}")


def place(excess: float) -> float:
    """Where an excess stands on its axis, from 0 to 1: even near 0, logarithmic far out."""
    low, high = math.asinh(BEST / 2), math.asinh(WORST / 2)
    return (math.asinh(max(BEST, min(WORST, excess)) / 2) - low) / (high - low)


def excess_strip(estimate: Told) -> Html | None:
    """The value and its interval in the null's standard deviations; to the right is worse than real data."""
    null, excess = estimate.null, estimate.excess
    if null is None or not math.isfinite(excess):
        return None
    sign = -1.0 if estimate.lower is False else 1.0

    def at(value: float) -> float:
        return round(4 + (WIDTH - 8) * place(sign * value), 1)

    middle = HEIGHT / 2
    parts = [
        _bar(at(-2.0 * sign), at(2.0 * sign), "band"),
        _tick(at(0.0), "floor"),
        *(_tick(at(sign * mark), "grid") for mark in (10.0, 100.0)),
    ]
    ends = [(end - null.mean) / null.sd for end in (estimate.low, estimate.high)]
    if not any(map(math.isnan, ends)):
        left, right = sorted(map(at, ends))
        parts.append(_whisker(left, right, middle))
    beyond = not BEST <= sign * excess <= WORST
    parts.append(tag("circle", cx=at(excess), cy=middle, r=3.4, class_="dot beyond" if beyond else "dot"))
    return _svg(WIDTH, HEIGHT, *parts, class_="strip", label=f"{excess:+.3g} standard deviations from real data")


Scale = tuple[float, float]


def scale(estimates: Iterable[Told]) -> Scale | None:
    """The range that all of a row's values, ends, floors and seeds lie in."""
    values: list[float] = []
    for e in estimates:
        values += [e.value, e.low, e.high, *seeds(e)]
        if e.null:
            reach = 2 * e.null.sd if math.isfinite(e.null.sd) else 0.0
            values += [e.null.mean - reach, e.null.mean + reach]
    finite = [v for v in values if math.isfinite(v)]
    if not finite or not math.isfinite(max(finite) - min(finite)):
        return None
    return min(finite), max(finite)


def seeds(estimate: Told) -> list[float]:
    """The values of the single seeds, where there are several."""
    found = estimate.details.get("per_seed")
    if not isinstance(found, list):
        return []
    return [float(v) for v in found[:200] if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e300]


def interval_strip(estimate: Told, scale: Scale) -> Html | None:
    """A value and its interval on the row's scale, over the null's band, with a dot for each seed."""
    if not estimate.finite:
        return None
    low, high = scale
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return round(5 + (WIDTH - 10) * min(max((value - low) / span, 0.0), 1.0), 1)

    single = seeds(estimate)
    middle = 8 if single else HEIGHT / 2
    parts: list[Html] = []
    if estimate.null:
        reach = 2 * estimate.null.sd if math.isfinite(estimate.null.sd) else 0.0
        parts += [_bar(at(estimate.null.mean - reach), at(estimate.null.mean + reach), "band"),
                  _tick(at(estimate.null.mean), "floor")]  # fmt: skip
    if not math.isnan(estimate.low) and not math.isnan(estimate.high):
        parts.append(_whisker(at(estimate.low), at(estimate.high), middle))
    parts.append(tag("circle", cx=at(estimate.value), cy=middle, r=3.4, class_="dot"))
    parts += [tag("circle", cx=at(v), cy=17, r=2.1, class_="seed") for v in single]
    said = f"{len(single)} seeds: {', '.join(f'{v:.4g}' for v in single)}" if single else f"{estimate.value:.4g}"
    return _svg(WIDTH, HEIGHT, *parts, class_="strip", label=said)


def _bar(left: float, right: float, class_: str) -> Html:
    return tag("rect", x=left, y=1, width=round(max(right - left, 1.0), 1), height=HEIGHT - 2, class_=class_)


def _tick(x: float, class_: str) -> Html:
    return tag("path", d=f"M{x} 1V{HEIGHT - 1}", class_=class_)


def _whisker(left: float, right: float, y: float) -> Html:
    return tag("path", d=f"M{left} {y}H{right}", class_="whisker")


def _svg(width: int, height: int, *parts: Html | None, class_: str, label: str = "", hidden: bool = False) -> Html:
    told: dict[str, str] = {"aria-hidden": "true"} if hidden else {"role": "img", "aria-label": label}
    title: Sequence[Html] = [tag("title", label)] if label else []
    told["viewBox"] = f"0 0 {width} {height}"
    return tag("svg", *title, *parts, width=width, height=height, class_=class_, **told)
