"""The comparison of several runs: one page with samples side by side, a table of metrics, verdicts and budgets."""

import math
from collections.abc import Sequence
from pathlib import Path

from adversaria.report.comparing import UNKNOWN, Run, table_of, verdict_table
from adversaria.report.document import document
from adversaria.report.estimates import fact
from adversaria.report.markup import Html, join, section, table, tag
from adversaria.report.pictures import picture
from adversaria.report.reading import FORMAT, Record, mapping_of
from adversaria.report.wording import count, duration, figure, number
from adversaria.runs.folder import RunFolder

MOST = 24
"""Runs of one page."""
UNEQUAL = 1.1
"""Budgets differ where one is so many times another."""


def write_comparison(folders: Sequence[Path], comparison: Record, out: Path) -> Path:
    """Writes the comparison of runs as one HTML file that loads nothing, in one step, and returns its path.

    Args:
        folders: of the runs, in the order of `comparison["runs"]`; their samples are shown.
        comparison: what the comparison found, as JSON holds it.
        out: the file; where it is a folder, comparison.html in it.
    """
    target = out / "comparison.html" if out.is_dir() else out
    text = comparison_page([Path(folder) for folder in folders], mapping_of(comparison))
    return RunFolder(target.parent).write(target.name, text.encode("utf-8", errors="replace"))


def comparison_page(folders: Sequence[Path], comparison: Record) -> Html:
    """The page of a comparison."""
    runs = _runs(folders, comparison)
    labels = ", ".join(run.label for run in runs[:6]) + (", …" if len(runs) > 6 else "")
    return document(
        f"Comparison of {labels}",
        tag(
            "header",
            tag("p", "Comparison of runs of adversaria", class_="eyebrow"),
            tag("h1", *_joined([run.label for run in runs])),
            _summary(comparison, len(runs)),
            *_warnings(comparison, runs),
        ),
        section("Verdicts", verdict_table(mapping_of(comparison.get("verdicts")), runs)),
        section("Samples", tag("div", *map(_samples, runs), class_="sheets side") if runs else None, _data(runs)),
        section("Measured", table_of(comparison, runs)),
        section("Budgets", _budgets(runs)),
        section("Protocol", _protocol(mapping_of(comparison.get("protocol")))),
    )


def _runs(folders: Sequence[Path], comparison: Record) -> list[Run]:
    told = comparison.get("runs")
    records = [mapping_of(r) for r in told] if isinstance(told, list) else []
    runs = []
    for i in range(min(MOST, max(len(folders), len(records)))):
        record = records[i] if i < len(records) else {}
        folder = folders[i] if i < len(folders) else None
        label = str(record.get("label") or (folder.name if folder else "") or f"run {i + 1}")
        runs.append(Run(i, label, folder, record))
    return runs


def _joined(labels: list[str]) -> list[Html | str]:
    parts: list[Html | str] = []
    for label in labels:
        parts += [tag("span", " and " if label is labels[-1] else ", ", class_="on")] if parts else []
        parts.append(label)
    return parts


def _summary(comparison: Record, n: int) -> Html:
    """What the primary metric says, and how many seeds it was asked of."""
    primary = str(comparison.get("primary") or "")
    told = comparison.get("rows")
    rows = [mapping_of(r) for r in told] if isinstance(told, list) else []
    row = next((r for r in rows if primary and r.get("metric") == primary), None)
    said = str(row.get("verdict") or UNKNOWN) if row else "No primary metric was declared: no row decides by itself."
    name = str(row.get("name") or primary) if row else ""
    by = join(tag("b", f"By {name}, declared before the comparison: ") if name else None, said)
    return join(tag("p", by, class_="summary"), _seeds(comparison), tag("p", f"{count(n)} runs.", class_="note"))


def _seeds(comparison: Record) -> Html | None:
    seeds = mapping_of(comparison.get("seeds"))
    if not seeds:
        said = "One run each: intervals are over samples, and another seed may order the runs differently."
        return tag("p", said, class_="note")
    least = number(seeds.get("min_p"))
    said = f"{count(seeds.get('n'))} seeds each, compared in pairs of the same seed"
    said += f"; the smallest p that so many can give is {figure(least)}." if math.isfinite(least) else "."
    if least > 0.05:
        said += " No difference can be significant at 5%: at least 6 seeds."
    return tag("p", said, class_="note")


def _warnings(comparison: Record, runs: list[Run]) -> list[Html]:
    found = []
    version = number(comparison.get("format", FORMAT))
    if not version <= FORMAT:
        found.append(f"This comparison has format {comparison.get('format')}; this adversaria reads {FORMAT}.")
    if len({str(run.record.get("data")) for run in runs}) > 1:
        found.append("The runs were trained on different data: distances to one set don't compare them.")
    for key, what in (("seconds", "Training time"), ("images", "Images seen")):
        values = [number(run.record.get(key)) for run in runs]
        known = [v for v in values if v > 0 and math.isfinite(v)]
        if len(known) > 1 and max(known) > UNEQUAL * min(known):
            found.append(f"{what} differs by a factor of up to {figure(max(known) / min(known))}: "
                         "a difference between runs may be one of budget.")  # fmt: skip
    warnings = comparison.get("warnings")
    found += [f"Bits/dim: {warning}." for warning in warnings] if isinstance(warnings, list) else []
    agreement = str(comparison.get("agreement") or "")
    told = [tag("p", said, class_="stale") for said in found]
    return [*told, tag("p", tag("b", "Across features: "), agreement)] if agreement else told


def _samples(run: Run) -> Html:
    """The samples of a run's report, otherwise its newest sheet."""
    found = None
    if run.folder is not None:
        found = picture(run.folder / "exhibits/samples.png", f"samples of {run.label}; not selected")
        sheets = sorted(RunFolder(run.folder).sheets)
        if found is None and sheets:
            found = picture(sheets[-1][1], f"samples of {run.label} at round {count(sheets[-1][0])}; not selected")
    where = str(run.folder or run.record.get("path") or "no folder")
    return tag("div", tag("h3", run.label), found or tag("p", f"no samples in {where}", class_="missing"))


def _data(runs: list[Run]) -> Html | None:
    shown = (picture(r.folder / "exhibits/data.png", f"held-out data, as {r.label} has them") for r in runs if r.folder)
    first = next((figure for figure in shown if figure), None)
    return tag("div", tag("div", tag("h3", "held-out data"), first), class_="sheets side") if first else None


def _budgets(runs: list[Run]) -> Html | None:
    rows: list[tuple[str, ...]] = []
    for run in runs:
        said, seconds = run.record, number(run.record.get("seconds"))
        seeds = said.get("seeds")
        rows.append((
            tag("b", run.label),
            str(said.get("recipe") or UNKNOWN),
            str(said.get("data") or UNKNOWN),
            fact(seeds) if isinstance(seeds, list) else UNKNOWN,
            count(said["rounds"]) if said.get("rounds") is not None else UNKNOWN,
            duration(seconds) if math.isfinite(seconds) else UNKNOWN,
            count(said["images"]) if said.get("images") is not None else UNKNOWN,
            tag("code", str(said.get("path") or run.folder or UNKNOWN)),
            str(said.get("note") or ""),
        ))  # fmt: skip
    head = ("run", "recipe", "data", "seeds", "rounds", "training time", "images", "folder", "note")
    return table(head, rows, "budgets")


def _protocol(facts: Record) -> Html | None:
    rows: list[tuple[str, ...]] = [(str(key).replace("_", " "), fact(value)) for key, value in list(facts.items())[:60]]
    said = "Numbers were taken under this protocol; what a number adds to it is folded under its name."
    return join(tag("p", said, class_="note"), table((), rows, "pairs")) if rows else None
