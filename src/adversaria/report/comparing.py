"""The tables of a comparison: metric by run, verdict by run. A winner is marked only where it is significant."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adversaria.report.estimates import LIKELIHOODS, Told, account, better, families, family, null_words, told
from adversaria.report.markup import Html, join, table, tag
from adversaria.report.reading import Record, mapping_of
from adversaria.report.strips import Scale, badge, interval_strip, scale
from adversaria.report.verdicts import states
from adversaria.report.wording import figure, number, probability, with_error, with_interval

UNKNOWN = "—"
MOST = 120
"""Rows shown."""


@dataclass(frozen=True)
class Run:
    """A column."""

    index: int
    label: str
    folder: Path | None
    record: Record


@dataclass(frozen=True)
class Missing:
    """A cell without a number."""

    said: str
    why: str


@dataclass(frozen=True)
class Row:
    """A metric for every run; of likelihoods, of one kind."""

    record: Record
    metric: str
    name: str
    family: str
    cells: tuple[Told | Missing, ...]
    kind: str | None = None
    """Of a likelihood."""
    split: bool = False
    """Whether the kinds differed, so that this row is only a part and compares nothing."""


def table_of(comparison: Record, runs: list[Run]) -> Html | None:
    """Metric by run: families after one another, the primary metric first."""
    listed = comparison.get("rows")
    records = [r for r in listed[:MOST] if isinstance(r, dict)] if isinstance(listed, list) else []
    rows = [part for record in records for part in _parts(_row(record, runs))]
    if not rows or not runs:
        return None
    primary = str(comparison.get("primary") or "")
    head = [tag("th"), *(tag("th", run.label) for run in runs), tag("th", "between real sets")]
    first = [row for row in rows if row.metric == primary]
    bodies = [_body("primary", first, runs)] if first else []
    rest = [row for row in rows if row.metric != primary]
    for title in families(row.family for row in rest):
        bodies.append(_body(title, [row for row in rest if row.family == title], runs))
    drawn = tag("table", tag("thead", tag("tr", *head)), *bodies, class_="compared")
    said = "95% intervals; the shade is what two real sets have, ± 2 sd; open dots are seeds. "
    said += "Marked best only where it is told from every other run."
    return join(tag("p", said, class_="note"), tag("div", drawn, class_="scroll"))


def _row(record: Record, runs: list[Run]) -> Row:
    listed = record.get("cells")
    given = listed if isinstance(listed, list) else []
    name, metric = str(record.get("name") or record.get("metric") or "unnamed"), str(record.get("metric") or "")
    lower = {"lower_is_better": record.get("lower_is_better"), "unit": record.get("unit")}
    cells = tuple(_cell_of(mapping_of(given[r.index] if r.index < len(given) else None), lower) for r in runs)
    unit = next((c.unit for c in cells if isinstance(c, Told) and c.unit), str(record.get("unit") or ""))
    return Row(record, metric, name, family(metric, unit), cells)


def _cell_of(said: Record, row: Record) -> Told | Missing:
    if not said:
        return Missing("not measured", "the comparison has nothing here")
    if "undefined" in said:
        return Missing("undefined", str(said["undefined"] or "no reason given"))
    return told({key: value for key, value in row.items() if value is not None} | said)


def _parts(row: Row) -> list[Row]:
    """A row of likelihoods as one row for each kind and unit, since numbers of different kinds aren't comparable."""
    if row.family != LIKELIHOODS:
        return [row]
    kinds = [_kind(c) if isinstance(c, Told) else None for c in row.cells]
    several = list(dict.fromkeys(k for k in kinds if k is not None))
    if len(several) < 2:
        return [Row(row.record, row.metric, row.name, row.family, row.cells, several[0] if several else None)]
    parts = []
    for kind in several:
        cells = tuple(
            c if k == kind or k is None else Missing("other kind", f"here it is of the kind '{k}': see its own row")
            for c, k in zip(row.cells, kinds, strict=True)
        )
        parts.append(Row(row.record, row.metric, row.name, row.family, cells, kind, split=True))
    return parts


def _kind(cell: Told) -> str:
    said = mapping_of(cell.protocol).get("kind") or cell.details.get("kind") or "kind not stated"
    return f"{said}, {cell.unit}" if cell.unit else str(said)


def _body(title: str, rows: list[Row], runs: list[Run]) -> Html:
    named = tag("tr", tag("th", title, scope="rowgroup", colspan=len(runs) + 2), class_="family")
    ordered = sorted(rows, key=lambda row: row.kind or "") if title == LIKELIHOODS else rows
    return tag("tbody", named, *(part for row in ordered for part in _lines(row, runs)))


def _lines(row: Row, runs: list[Run]) -> list[Html]:
    """The row of numbers, and below it what they say."""
    estimates = [c for c in row.cells if isinstance(c, Told)]
    differ = differing(estimates)
    best = None if differ or row.split else winner(row.record, row.cells)
    span = scale(estimates)
    lower = row.record.get("lower_is_better", estimates[0].lower if estimates else None)
    unit = str(row.record.get("unit") or next((e.unit for e in estimates if e.unit), ""))
    name = tag("td", tag("b", row.name), f" {unit}" if unit and not row.kind else None,
               tag("small", f" {better(lower if isinstance(lower, bool) else None)}"),
               tag("small", f" kind: {row.kind}") if row.kind else None,
               account(replace(estimates[0], details={})) if estimates else None, class_="name")  # fmt: skip
    cells = [_cell(c, run, run.index == best, span) for c, run in zip(row.cells, runs, strict=True)]
    floor = tag("td", _floor(estimates), **{"data-label": "between real sets"})
    said = tag("td", _said(row, differ, best), _pairs(row, runs), colspan=len(runs) + 2)
    return [tag("tr", name, *cells, floor, class_="numbers"), tag("tr", said, class_="said")]


def _said(row: Row, differ: list[str], best: int | None) -> str:
    if row.split:
        return f"Kinds of likelihood differ between runs: not compared. This row holds the kind '{row.kind}' alone."
    if differ:
        return f"Measured under different protocols ({', '.join(differ[:8])}): not compared."
    verdict = str(row.record.get("verdict") or "")
    if verdict:
        return verdict
    return "not compared" if best is None else "compared without a verdict in words"


def _cell(cell: Told | Missing, run: Run, best: bool, span: Scale | None) -> Html:
    label = {"data-label": run.label}
    if isinstance(cell, Missing):
        told_why = tag("details", tag("summary", cell.said, title=cell.why), cell.why, class_="undefined")
        return tag("td", told_why, **label)
    value = tag("span", with_interval(cell.value, cell.low, cell.high), class_="number")
    marked = tag("span", "★ best", class_="best") if best else None
    drawn = interval_strip(cell, span) if span else None
    return tag("td", value, " " if best else None, marked, drawn, class_="won" if best else None, **label)


def _floor(estimates: Sequence[Told]) -> str:
    nulls = [e.null for e in estimates if e.null]
    if not nulls:
        return UNKNOWN
    means = sorted(n.mean for n in nulls)
    same = all(null_words(n) == null_words(nulls[0]) for n in nulls)
    return null_words(nulls[0]) if same else f"{figure(means[0])} to {figure(means[-1])}"


def winner(record: Record, cells: Sequence[Any]) -> int | None:
    """The run that is marked best: the one that the comparison names, where no pair leaves it open."""
    best = record.get("best")
    if not isinstance(best, int) or isinstance(best, bool) or not 0 <= best < len(cells):
        return None
    if not isinstance(cells[best], Told) or str(record.get("verdict") or "").lower().startswith("inconclusive"):
        return None
    pairs = [p for p in _listed(record) if best in (p.get("a"), p.get("b"))]
    held = all(p.get("state") == ("better" if p.get("a") == best else "worse") for p in pairs)
    return best if held else None


def differing(estimates: Sequence[Told]) -> list[str]:
    """What differs between the protocols of numbers in one row."""
    protocols = [mapping_of(e.protocol) for e in estimates]
    keys = dict.fromkeys(key for p in protocols for key in p)
    return [str(key).replace("_", " ") for key in keys if len({repr(p.get(key)) for p in protocols}) > 1]


def _listed(record: Record) -> list[Record]:
    pairs = record.get("pairs")
    return [p for p in pairs if isinstance(p, dict)] if isinstance(pairs, list) else []


def _pairs(row: Row, runs: list[Run]) -> Html | None:
    """Every pair of runs: difference, p before and after Holm's correction, state."""
    if row.split:
        return None
    rows: list[tuple[str, ...]] = []
    for pair in _listed(row.record)[:MOST]:
        ends = [_label(pair.get(side), runs) for side in ("a", "b")]
        p, holm = number(pair.get("p")), number(pair.get("p_holm"))
        rows.append((
            f"{ends[0]} − {ends[1]}",
            with_error(pair.get("difference"), pair.get("error")),
            probability(p) if math.isfinite(p) else UNKNOWN,
            probability(holm) if math.isfinite(holm) else UNKNOWN,
            f"{ends[0]} is {pair.get('state')}" if pair.get("state") in ("better", "worse") else str(pair.get("state")),
        ))  # fmt: skip
    found = table(("pair", "difference ± se", "p", "p, Holm", ""), rows)
    return tag("details", tag("summary", f"pairs ({len(rows)})"), found) if found else None


def _label(index: Any, runs: list[Run]) -> str:
    known = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(runs)
    return runs[index].label if known else f"run {index}"


def verdict_table(verdicts: Record, runs: list[Run]) -> Html | None:
    """The state of each verdict for each run."""
    if not verdicts or not runs:
        return None
    head = tag("tr", tag("th"), *(tag("th", run.label) for run in runs))
    rows = []
    for name, listed in list(verdicts.items())[:MOST]:
        cells = states(listed)
        shown = [
            tag("td", badge(cells[run.index][0]) if run.index < len(cells) else UNKNOWN,
                title=(cells[run.index][1] or None) if run.index < len(cells) else None, **{"data-label": run.label})
            for run in runs
        ]  # fmt: skip
        rows.append(tag("tr", tag("td", tag("b", str(name)), class_="name"), *shown, class_="numbers"))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="compared"), class_="scroll")
