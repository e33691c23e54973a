"""The verdict panel: what is wrong with the run and what isn't, in words, the worst first."""

import shlex
from itertools import pairwise
from typing import Any

from adversaria.report.markup import Html, join, tag
from adversaria.report.reading import Reading, Record
from adversaria.report.strips import STATES, badge, icon, kind
from adversaria.report.wording import count, date, number

SPEAKS = {"for": "for the fault", "against": "against it", "neither": "neither"}
NOT_APPLICABLE = "not applicable"
MOST = 40
"""Verdicts, and pieces of evidence of one, that are shown."""
CELLS = 30
"""Columns of the timeline; where there were more checks, a column holds several."""


def state_of(verdict: Record) -> str:
    """A verdict's state in lower case."""
    return str(verdict.get("state") or "unknown").lower()


def pressing(state: str) -> int:
    """The place of a state in the order of the page; an unknown one comes after the inconclusive."""
    return STATES.index(state) * 2 if state in STATES else 3


def panel(reading: Reading) -> Html:
    """A card for each verdict that applies; those that don't on one line; of what, and how old."""
    found, said = _found(reading)
    if not found:
        missing = tag("p", "No verdicts yet: ", command(reading), " looks for collapse, copies and other faults.",
                      class_="note")  # fmt: skip
        return tag("div", missing, class_="verdicts")
    ordered = sorted(found, key=lambda v: pressing(state_of(v)))
    applied = [v for v in ordered if state_of(v) != NOT_APPLICABLE]
    cards = tag("div", *map(_card, applied), class_="cards") if applied else tag("p", "No verdict applies.")
    return tag(
        "div", tag("h2", "Verdicts"), tag("p", _summary(applied), class_="tally"), cards,
        _inapplicable([v for v in ordered if state_of(v) == NOT_APPLICABLE]), said, class_="verdicts",
    )  # fmt: skip


def command(reading: Reading, verb: str = "diagnose") -> Html:
    """The command that makes what is missing."""
    return tag("code", f"adversaria {verb} {shlex.quote(str(reading.path))}")


def stale(reading: Reading, what: str, round: Any, verb: str) -> Html | None:
    """A sentence where something was made of an older round than the newest that the folder knows."""
    if not number(round) < reading.round:
        return None
    said = f"This {what} is of round {count(round)}; the run has reached round {count(reading.round)}. Make it again: "
    return tag("p", said, command(reading, verb), class_="stale")


def _found(reading: Reading) -> tuple[list[Record], Html]:
    """The verdicts and where they are from: a diagnosis, or the last checks of the log."""
    told = reading.diagnosis.get("verdicts")
    verdicts = [v for v in told[:MOST] if isinstance(v, dict)] if isinstance(told, list) else []
    round = reading.diagnosis.get("round")
    if verdicts:
        said = f"Diagnosis of round {count(round)}, {date(reading.diagnosis.get('time'))}."
        return verdicts, join(tag("p", said, class_="note"), stale(reading, "diagnosis", round, "diagnose"))
    latest = {str(v.get("name")): v for v in reading.verdicts}
    verdicts = list(latest.values())[:MOST]
    rounds = sorted({int(v["round"]) for v in verdicts})
    at = ", ".join(map(count, rounds[-4:]))
    said = f"From the checks while training, on a cheap subset, at round {at}. In full: "
    return verdicts, tag("p", said, command(reading), class_="note")


def _summary(verdicts: list[Record]) -> str:
    states = [state_of(v) for v in verdicts]
    parts = [f"{states.count(s)} {s}" for s in ("fail", "inconclusive", "pass") if s in states]
    return " · ".join(parts)


def _card(verdict: Record) -> Html:
    state = state_of(verdict)
    told = verdict.get("evidence")
    evidence = [e for e in told[:MOST] if isinstance(e, dict)] if isinstance(told, list) else []
    advice, caveat = str(verdict.get("advice") or ""), str(verdict.get("caveat") or "")
    return tag(
        "div",
        tag("h3", str(verdict.get("name") or "unnamed"), badge(state), class_="named"),
        tag("p", str(verdict.get("sentence") or "No sentence was given."), class_="sentence"),
        tag("p", tag("b", "What to change: "), advice, class_="advice") if advice and state != "pass" else None,
        _evidence(evidence),
        tag("p", "Known to err: ", caveat, class_="protocol") if caveat else None,
        class_=f"card verdict {kind(state)}",
    )


def _evidence(evidence: list[Record]) -> Html | None:
    if not evidence:
        return None
    items = []
    for item in evidence:
        speaks = str(item.get("speaks") or "neither")
        side = {"for": "for", "against": "against"}.get(speaks, "neither")
        words = tag("span", SPEAKS.get(speaks, speaks), class_=f"speaks {side}")
        items.append(tag("li", tag("b", str(item.get("name") or "")), " ", str(item.get("said") or ""), " ", words))
    return tag("details", tag("summary", f"evidence ({len(evidence)})"), tag("ul", *items))


def _inapplicable(verdicts: list[Record]) -> Html | None:
    if not verdicts:
        return None
    reasons = [str(v.get("sentence") or "no reason given").rstrip(".") for v in verdicts]
    said = [f"{v.get('name') or 'unnamed'} ({why})" for v, why in zip(verdicts, reasons, strict=True)]
    return tag("p", icon(NOT_APPLICABLE), " Not applicable: ", "; ".join(said), ".", class_="note")


def timeline(reading: Reading) -> Html | None:
    """The states of each verdict over the checks while training, as a strip of cells; None for fewer than two."""
    rounds = sorted({int(v["round"]) for v in reading.verdicts})
    if len(rounds) < 2:
        return None
    columns = _columns(rounds)
    states: dict[str, dict[int, str]] = {}
    for verdict in reading.verdicts:
        states.setdefault(str(verdict.get("name")), {})[int(verdict["round"])] = state_of(verdict)
    rows = [
        tag("tr", tag("th", name, scope="row"), *(_cell(name, of, column) for column in columns))
        for name, of in list(states.items())[:MOST]
    ]
    feet = tag("tr", tag("td"), *(_foot(column, i, len(columns)) for i, column in enumerate(columns)))
    note = "What the checks while training said, on a cheap subset. "
    note += "A cell of several checks shows the worst." if len(columns) < len(rounds) else "A cell is a check."
    drawn = tag("table", tag("tbody", *rows), tag("tfoot", feet), class_="timeline")
    keys = [s for s in STATES if any(s in of.values() for of in states.values())]
    return join(tag("h3", "verdicts over training"), tag("p", note, class_="note"), tag("div", drawn, class_="scroll"),
                tag("p", *(badge(state) for state in keys), class_="key"))  # fmt: skip


def _columns(rounds: list[int]) -> list[list[int]]:
    n = min(len(rounds), CELLS)
    edges = [i * len(rounds) // n for i in range(n + 1)]
    return [rounds[a:b] for a, b in pairwise(edges)]


def _cell(name: str, states: dict[int, str], column: list[int]) -> Html:
    found = [states[round] for round in column if round in states]
    if not found:
        return tag("td", title=f"{name}: not checked")
    worst = min(found, key=pressing)
    span = f"round {count(column[0])}" + (f" to {count(column[-1])}" if len(column) > 1 else "")
    many = f", {found.count(worst)} of {len(found)}" if len(found) > 1 else ""
    return tag("td", icon(worst), class_=f"cell {kind(worst)}", title=f"{name}, {span}: {worst}{many}")


def _foot(column: list[int], i: int, n: int) -> Html:
    step = max(1, n // 5)
    return tag("td", tag("span", count(column[0])) if i % step == 0 else None)


def states(told: Any) -> list[tuple[str, str]]:
    """State and sentence of each cell of a comparison's verdicts, which are states or mappings."""
    cells = told if isinstance(told, list) else []
    found = []
    for cell in cells:
        if isinstance(cell, dict):
            found.append((state_of(cell), str(cell.get("sentence") or "")))
        else:  # over seeds "fail (5 of 6)"
            state, _, agreed = str(cell).partition(" (")
            found.append((state.lower(), f"{agreed.rstrip(')')} seeds" if agreed else ""))
    return found
