"""The head of the page: what ran, how it stands, and the key numbers with their errors and protocols."""

import math

from adversaria.report.estimates import Told, better, null_words, told
from adversaria.report.markup import Html, join, tag
from adversaria.report.reading import Reading, Record, mapping_of
from adversaria.report.verdicts import panel
from adversaria.report.wording import (
    SEPARATE,
    count,
    date,
    duration,
    figure,
    number,
    on_neighbours,
    protocol,
    with_error,
    with_interval,
)


def overview(reading: Reading) -> Html:
    """The page's header."""
    entry = reading.entry
    status = tag("span", reading.status, class_=f"status {reading.status.replace(' ', '-')}")
    title = tag("h1", reading.recipe, tag("span", " on ", class_="on"), reading.data_name)
    return tag(
        "header",
        tag("p", "Report on a run of adversaria", status, class_="eyebrow"),
        title,
        tag("p", entry.summary, class_="summary") if entry else None,
        panel(reading),
        _facts(reading),
        _numbers(reading),
    )


def _facts(reading: Reading) -> Html:
    config, spent = reading.config, reading.seconds
    times = [n for n in (number(r.get("time")) for r in reading.rounds) if math.isfinite(n)]
    resumed = any(event.get("event") == "resumed" for event in reading.events)
    clock = "" if resumed or len(times) < 2 else f", {duration(max(times[-1] - times[0], 0))} by the clock"
    logged = int(reading.rounds[-1]["round"]) if reading.rounds else 0
    until = f" by round {count(logged)}" if 0 < logged < reading.round else ""
    facts = {
        "rounds": f"{count(reading.round)} of {count(config.rounds)}",
        f"{reading.examples} seen": f"{count(reading.images)}{until}",
        "training time": f"{duration(spent)} in rounds{clock}{until}" if spent else "none logged yet",
        "first round": date(times[0]) if times else "none logged yet",
        "last logged": date(times[-1]) if times and reading.status == "still going" else "",
        "seed": str(config.seed),
        "device": config.device,
    }
    return tag("dl", *(tag("div", tag("dt", key), tag("dd", value)) for key, value in facts.items() if value),
               class_="facts")  # fmt: skip


def _numbers(reading: Reading) -> Html:
    cards = [*_scores(reading), _neighbours(mapping_of(reading.exhibits.get("neighbours")), reading)]
    shown = [card for card in cards if card]
    missing = None if reading.scores else tag("p", "No score has been logged.", class_="note")
    return join(tag("div", *shown, class_="cards") if shown else None, missing)


def _scores(reading: Reading) -> list[Html]:
    by_name: dict[str, list[Record]] = {}
    plain = [record for record in reading.scores if "metric" not in record]  # the others are curves and verdicts
    for record in plain or reading.scores:
        by_name.setdefault(str(record.get("name")), []).append(record)
    return [_score(name, records) for name, records in list(by_name.items())[:6]]


def _score(name: str, records: list[Record]) -> Html:
    latest = told(records[-1])
    said = f"{_spread(latest)}, n = {count(latest.n)}, at round {count(records[-1]['round'])}; {better(latest.lower)}"
    return tag(
        "div",
        tag("h3", name),
        tag("p", _value(records[-1]), tag("small", f" {latest.unit}"), class_="big"),
        tag("p", said),
        tag("p", f"Between two real sets: {null_words(latest.null)}.") if latest.null else None,
        _picked(records, latest),
        tag("p", protocol(latest.protocol), class_="protocol"),
        class_="card",
    )


def _value(record: Record) -> str:
    """A value with its standard error, or with its interval where only that is known."""
    if math.isfinite(number(record.get("error"))) or not record.get("limits"):
        return with_error(record.get("value"), record.get("error"))
    said = told(record)
    return with_interval(said.value, said.low, said.high)


def _spread(latest: Told) -> str:
    return "± 1 standard error" if math.isfinite(latest.error) else "with its 95% interval"


def _picked(records: list[Record], latest: Told) -> Html | None:
    """The best of several values, where it isn't the last."""
    known = [r for r in records if math.isfinite(number(r.get("value")))]
    if latest.lower is None or not known:
        return None
    best = min(known, key=lambda r: number(r["value"]) * (1 if latest.lower else -1))
    if number(best["value"]) == latest.value:
        return None
    said = f"The best of {len(records)} was {_value(best)} at round {count(best['round'])}; as a pick it flatters."
    return tag("p", said)


def _neighbours(told: Record, reading: Reading) -> Html | None:
    samples, held_out = mapping_of(told.get("samples")), mapping_of(told.get("held_out"))
    if not samples:
        return None
    rows = [_distance("samples", samples), _distance("held-out data", held_out) if held_out else None]
    said = on_neighbours(samples, held_out) if held_out else "Too few held-out examples to compare with."
    protocol = (
        f"{told.get('protocol', 'protocol unknown')}; mean ± 1 standard error, at round "
        f"{count(reading.exhibits.get('round'))}; said to differ where intervals of ± {figure(SEPARATE)} "
        "standard errors don't touch. A mean can hide single copies."
    )
    return tag(
        "div",
        tag("h3", "distance to the nearest training example"),
        tag("dl", *rows, class_="pair"),
        tag("p", tag("b", said)),
        tag("p", protocol, class_="protocol"),
        class_="card",
    )


def _distance(name: str, told: Record) -> Html:
    value = with_error(told.get("mean"), told.get("error"))
    return tag("div", tag("dt", name), tag("dd", value, tag("small", f" n = {count(told.get('n'))}")))
