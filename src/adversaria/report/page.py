"""The page: its parts in order."""

from adversaria.report.configuration import configuration, system
from adversaria.report.curves import curves
from adversaria.report.document import document
from adversaria.report.galleries import galleries, titled
from adversaria.report.markup import Html, join, section, table, tag
from adversaria.report.measured import measured
from adversaria.report.overview import overview
from adversaria.report.pictures import picture
from adversaria.report.reading import Reading, mapping_of, spread
from adversaria.report.wording import clip, count

PLAIN = {"started", "finished"}
"""Events that need no table of their own."""
EVENTS = 100
"""Events shown at most; the latest."""
SHEETS = 12
SMALL = 90_000
"""Bytes of a sheet in the row over time."""


def page(reading: Reading) -> Html:
    """The whole report, as one HTML document that loads nothing."""
    drawn = curves(reading)
    return document(
        f"{reading.recipe} on {reading.data_name}",
        overview(reading),
        samples(reading),
        measured(reading),
        over_time(reading),
        galleries(reading),
        section("Curves", tag("div", *drawn, class_="charts") if drawn else None),
        events(reading),
        system(reading),
        configuration(reading),
    )


def samples(reading: Reading) -> Html | None:
    """Samples beside held-out data, and beside what they were made from."""
    captions = mapping_of(reading.exhibits.get("pictures"))
    names = [name for name in ("sources", "samples", "data") if name in captions]
    shown = [picture(reading.path / "exhibits" / f"{name}.png", str(captions[name])) for name in names]
    parts = [titled(name, figure) for name, figure in zip(names, shown, strict=True) if figure]
    return section("Samples", tag("div", *parts, class_="pictures") if parts else None)


def over_time(reading: Reading) -> Html | None:
    """Sheets from the same noise, round by round."""
    chosen = spread(reading.sheets, SHEETS)
    several = len(reading.stages) > 1
    figures = []
    for round, path in chosen:
        stage = next((f", {clip(s.name, 40)}" for s in reading.stages if several and s.first <= round <= s.last), "")
        figures.append(picture(path, f"round {count(round)}{stage}", SMALL))
    if not any(figures):
        return None
    said = f"The same noise at every round; {len(chosen)} of {len(reading.sheets)} sheets."
    return section("Samples over time", tag("p", said, class_="note"), tag("div", *figures, class_="sheets"))


def events(reading: Reading) -> Html | None:
    """What happened besides starting and finishing, and what of the folder can't be read."""
    found = reading.events
    rows: list[tuple[str, ...]] = []
    if [e.get("event") for e in found if e.get("event") not in PLAIN] or len(found) > len(PLAIN):
        rows = [(count(e["round"]), str(e.get("event", "")), str(e.get("text") or "")) for e in found[-EVENTS:]]
    left = len(found) - EVENTS
    return section(
        "What happened",
        tag("p", f"{count(left)} earlier events are in metrics.jsonl.", class_="note") if rows and left > 0 else None,
        table(("round", "event", ""), rows, class_="events"),
        join(*(tag("p", fault, class_="missing") for fault in reading.faults)) if reading.faults else None,
    )
