"""The curves of a run: what each player's terms, gradients and moves did, and the score, over rounds."""

import math
from collections import Counter

import numpy as np

from adversaria.report.charts import PALETTE, SIZE, Line, chart, shade
from adversaria.report.estimates import better, told
from adversaria.report.markup import Html, tag
from adversaria.report.pictures import uri
from adversaria.report.reading import Reading, Record, Span, mapping_of
from adversaria.report.wording import figure, number

MOST = 12
"""Charts of players, and curves in a chart."""
SCORES = 24
"""Charts of scores."""
HUGE = 1e30
WIDE = 100
"""A player's terms are drawn on a logarithmic scale where the greatest is so many times the median."""


def curves(reading: Reading) -> list[Html]:
    """A figure for each player, then gradients, score, speed and skipped moves, where there are any."""
    found: dict[str, dict[str, None]] = {}
    for record in reading.rounds:
        for player, terms in mapping_of(record.get("terms")).items():
            found.setdefault(player, {}).update(dict.fromkeys(mapping_of(terms)))
    colours = {player: PALETTE[i % len(PALETTE)] for i, player in enumerate(found)}
    figures = [_player(reading, player, list(found[player]), colour) for player, colour in list(colours.items())[:MOST]]
    left = len(found) - MOST
    if left > 0:
        figures.append(tag("p", f"{left} more players are in metrics.jsonl", class_="note"))
    figures += [_gradients(reading, colours), *_scores(reading), _speed(reading), _skipped(reading, colours)]
    return [drawn for drawn in figures if drawn is not None]


def _line(records: list[Record], path: tuple[str, ...], name: str, colour: str, dashes: str = "solid") -> Line:
    """The values at a path of keys, for the records that have it."""
    pairs = []
    for record in records:
        value = record
        for key in path[:-1]:
            value = mapping_of(value.get(key))
        if path[-1] in value:
            pairs.append((record["round"], number(value[path[-1]])))
    x = np.array([round for round, _ in pairs], float)
    return Line(name, x, _bounded([value for _, value in pairs]), colour, dashes, noisy=True)


def _bounded(values: list[float]) -> np.ndarray:
    """Values with nan for what is not finite or beyond drawing."""
    y = np.array(values, float)
    return np.where(np.abs(y) < HUGE, y, np.nan)


def _player(reading: Reading, player: str, terms: list[str], colour: str) -> Html | None:
    lines = [_line(reading.rounds, ("terms", player, t), t, *shade(colour, i)) for i, t in enumerate(terms[:MOST])]
    more = f"{len(terms) - MOST} more terms are in metrics.jsonl" if len(terms) > MOST else ""
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines]) if lines else np.zeros(0)
    wide = len(values) > 0 and values.min() > 0 and values.max() > WIDE * np.median(values)
    return _figure(player, lines, reading.stages, log=bool(wide), note=more, colour=colour)


def _gradients(reading: Reading, colours: dict[str, str]) -> Html | None:
    lines = [_line(reading.rounds, ("gradient_norms", p), p, c) for p, c in list(colours.items())[:MOST]]
    return _figure("Gradient norms", lines, reading.stages, log=True, note="before clipping")


def _scores(reading: Reading) -> list[Html | None]:
    names = list(dict.fromkeys(str(r.get("name")) for r in reading.scores))
    drawn = [_score(reading, name, shade(PALETTE[-1], i)[0]) for i, name in enumerate(names[:SCORES])]
    left = len(names) - SCORES
    return [*drawn, tag("p", f"{left} more scores are in metrics.jsonl", class_="note") if left > 0 else None]


def _score(reading: Reading, name: str, colour: str) -> Html | None:
    """A score with 95% intervals, over what two real sets have."""
    records = [r for r in reading.scores if str(r.get("name")) == name]
    x = np.array([r["round"] for r in records], float)
    found = [told(r) for r in records]
    y, low, high = (_bounded([getattr(e, key) for e in found]) for key in ("value", "low", "high"))
    nulls = [e.null for e in found]
    reach = [2 * n.sd if n and math.isfinite(n.sd) else 0.0 for n in nulls]
    middle = _bounded([n.mean if n else math.nan for n in nulls])
    floor = bool(np.isfinite(middle).any())
    line = Line(name, x, y, colour, ends=(low, high), band=(middle - reach, middle + reach) if floor else None)
    note = f"{better(found[-1].lower)}; bars are 95% intervals"
    note += "; shaded: between two real sets, ± 2 sd" if floor else ""
    return _figure(name, [line], reading.stages, note=note, unit=found[-1].unit)


def _speed(reading: Reading) -> Html | None:
    title = f"{reading.examples.capitalize()} per second"
    line = _line(reading.rounds, ("images_per_second",), title, PALETTE[-1])
    middle = np.median(line.y[np.isfinite(line.y)]) if np.isfinite(line.y).any() else math.nan
    return _figure(title, [line], reading.stages, note=f"median {figure(float(middle))}")


def _skipped(reading: Reading, colours: dict[str, str]) -> Html | None:
    total: Counter[str] = Counter()
    last = float(reading.rounds[-1]["round"]) if reading.rounds else 0.0
    steps: dict[str, list[tuple[float, float]]] = {}
    for record in reading.rounds:
        for player, n in mapping_of(record.get("skipped")).items():
            if number(n) > 0:
                points = steps.setdefault(player, [(0.0, 0.0)])
                points.append((record["round"], total[player]))
                total[player] += int(min(number(n), 1e9))
                points.append((record["round"], total[player]))
    lines = []
    for player, points in steps.items():
        x, y = np.array([*points, (last, total[player])], float).T
        lines.append(Line(player, x, y, colours.get(player, PALETTE[-1])))
    return _figure("Skipped moves", lines, reading.stages, note="moves that were not finite, in all so far")


def _figure(title: str, lines: list[Line], stages: list[Span], *, log: bool = False, note: str = "",
            unit: str = "", colour: str | None = None) -> Html | None:  # fmt: skip
    """A chart with its title and legend in HTML; None where no line has a value."""
    lines = [line for line in lines if len(line.x)]
    finite = [line.y[np.isfinite(line.y)] for line in lines]
    if not any(len(y) for y in finite):
        return None
    log = log and all((y > 0).all() for y in finite)
    broken = sum(len(line.y) - len(y) for line, y in zip(lines, finite, strict=True))
    notes = [
        note,
        "logarithmic scale" if log else "",
        f"{broken} values aren't finite and aren't drawn" if broken else "",
    ]
    image = tag("img", src=uri(chart(lines, stages, log=log), "image/svg+xml"), alt=f"{title} over rounds",
                width=round(SIZE[0] * 96), height=round(SIZE[1] * 96))  # fmt: skip
    head = tag("figcaption", _dot(colour) if colour else None, tag("b", title), f" {unit}" if unit else None,
               tag("span", "; ".join(filter(None, notes)), class_="note"))  # fmt: skip
    return tag(
        "figure", head, _legend(lines) if [line.name for line in lines] != [title] else None, image, class_="chart"
    )


def _dot(colour: str) -> Html:
    return tag("i", class_="dot", style=f"background:{colour}")


def _legend(lines: list[Line]) -> Html:
    """Each line's mark and name, with its last value."""
    items = []
    for line in lines:
        kind = {"dashdot": "double"}.get(line.dashes, line.dashes)
        mark = tag("i", class_="mark", style=f"border-top-style:{kind};border-top-color:{line.colour}")
        items.append(tag("li", mark, line.name, tag("span", figure(float(line.y[-1])), class_="value")))
    return tag("ul", *items, class_="legend")
