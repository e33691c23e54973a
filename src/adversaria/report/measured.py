"""What the evaluation measured: every number with its interval, its null floor and how it was measured."""

import math
from collections.abc import Sequence

from adversaria.report.charts import plane
from adversaria.report.estimates import Told, account, better, families, family, null_words, told
from adversaria.report.markup import Html, join, section, table, tag
from adversaria.report.pictures import uri
from adversaria.report.reading import Reading, Record, mapping_of
from adversaria.report.strips import excess_strip
from adversaria.report.verdicts import command, stale, timeline
from adversaria.report.wording import count, date, deviations, figure, number, probability, with_interval

MOST = 120
"""Numbers shown."""
LEGEND = (
    "Excess: how far the value lies from that floor, in its standard deviations (bold beyond 2). Drawn: the shade is "
    "the floor ± 2, the marks are 10 and 100 on a logarithmic scale, the bar is the 95% interval; right is worse, or "
    "more where neither way is better."
)
HEAD = ("", "value [95%]", "between real sets", "excess", "worse →", "p", "n")


def measured(reading: Reading) -> Html | None:
    """The evaluation and the timeline of verdicts; without an evaluation, the command that makes one."""
    said = reading.evaluation
    over_time = timeline(reading)
    if not said and not reading.round:
        return None
    if not said:
        missing = tag("p", "Not evaluated yet: ", command(reading, "evaluate"),
                      " measures distances, coverage, tests and copies, each beside its value between two real sets.",
                      class_="note")  # fmt: skip
        return section("Measured", missing, over_time)
    records = said.get("estimates")
    estimates = [told(r) for r in records[:MOST] if isinstance(r, dict)] if isinstance(records, list) else []
    faulty = [] if isinstance(records, list) else [tag("p", "evaluation.json lists no estimates", class_="missing")]
    return section(
        "Measured",
        _head(said),
        stale(reading, "evaluation", said.get("round"), "evaluate"),
        *faulty,
        _tables(estimates),
        _undefined(mapping_of(said.get("undefined"))),
        precision_recall(estimates),
        over_time,
    )


def _head(said: Record) -> Html:
    against = str(said.get("against") or "unknown")
    made = f"{count(said.get('n'))} samples at round {count(said.get('round'))} against the {against} split, "
    features = mapping_of(said.get("features"))
    line = []
    if features:
        accuracy = number(features.get("accuracy"))
        facts = [
            str(features.get("name") or "unnamed features"),
            f"d = {count(features.get('d'))}" if features.get("d") is not None else "",
            f"accuracy {figure(accuracy)}" if math.isfinite(accuracy) else "",
            str(features.get("note") or ""),
        ]
        line = [tag("p", "Features: ", ", ".join(filter(None, facts)), _hash(features.get("hash")), class_="note")]
    said_null = "The floor is the same metric between two real sets of the same sizes: what a perfect model would get."
    return join(tag("p", f"{made}{date(said.get('time'))}. {said_null}"), *line)


def _hash(value: object) -> Html | None:
    return join(", hash ", tag("code", str(value))) if value else None


def _tables(estimates: Sequence[Told]) -> Html:
    if not estimates:
        return tag("p", "Nothing could be measured.", class_="note")
    head = tag("thead", tag("tr", *(tag("th", name) for name in HEAD)))
    bodies = []
    for title in families(family(e.metric, e.unit) for e in estimates):
        named = tag("tr", tag("th", title, scope="rowgroup", colspan=len(HEAD)), class_="family")
        bodies.append(tag("tbody", named, *(_row(e) for e in estimates if family(e.metric, e.unit) == title)))
    return join(tag("div", tag("table", head, *bodies, class_="measured"), class_="scroll"),
                tag("p", LEGEND, class_="note"))  # fmt: skip


def _row(e: Told) -> Html:
    name = join(tag("b", e.name), f" {e.unit}" if e.unit else "", tag("small", f" {better(e.lower)}"), account(e))
    marked = "excess far" if abs(e.excess) > 2 else "excess"
    cells: list[tuple[str, Html | str | None, str]] = [
        ("", name, "name"),
        (HEAD[1], with_interval(e.value, e.low, e.high), "number"),
        (HEAD[2], null_words(e.null) if e.null else None, ""),
        (HEAD[3], deviations(e.excess) if math.isfinite(e.excess) else None, marked),
        ("", excess_strip(e), "drawn"),
        (HEAD[5], probability(e.p) if math.isfinite(e.p) else None, ""),
        (HEAD[6], count(e.n) if math.isfinite(e.n) else None, ""),
    ]
    return tag("tr", *(_cell(*cell) for cell in cells))


def _cell(label: str, value: Html | str | None, class_: str) -> Html:
    classes = f"{class_} empty".strip() if value is None else class_
    return tag("td", value, class_=classes or None, **{"data-label": label or None})


def _undefined(reasons: Record) -> Html | None:
    rows: list[tuple[str, ...]] = [(str(name), str(why)) for name, why in list(reasons.items())[:MOST]]
    return join(tag("h3", "undefined here"), table((), rows, "pairs")) if rows else None


def precision_recall(estimates: Sequence[Told]) -> Html | None:
    """Precision against recall with their intervals, beside what two real sets have of one another."""
    found = [next((e for e in estimates if e.metric.lower() == m and e.finite), None) for m in ("precision", "recall")]
    precision, recall = found
    if precision is None or recall is None:
        return None
    points = [("samples", recall.value, precision.value,
               (recall.low, recall.high), (precision.low, precision.high), False)]  # fmt: skip
    if precision.null and recall.null:
        a, b = recall.null, precision.null
        reach = [2 * n.sd if math.isfinite(n.sd) else 0.0 for n in (a, b)]
        points.append(("between real sets, ± 2 sd", a.mean, b.mean, (a.mean - reach[0], a.mean + reach[0]),
                       (b.mean - reach[1], b.mean + reach[1]), True))  # fmt: skip
    said = "Far left: parts of the data aren't covered. Far down: samples unlike any data. Bars are 95% intervals."
    image = tag("img", src=uri(plane(points, "recall", "precision"), "image/svg+xml"), width=400, height=340,
                alt="precision over recall")  # fmt: skip
    caption = tag("figcaption", tag("b", "Precision and recall"), tag("span", said, class_="note"))
    return tag("div", tag("figure", caption, image, class_="chart plane"), class_="charts")
