"""The page of the table of modes: our numbers with their errors over seeds, beside those that papers report."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adversaria.zoo.published import DIFFERENCES, PAPERS, PUBLISHED, Number, Published

HEAD = """# Modes

How many modes of the data each adversarial recipe covers. Written by `adversaria zoo modes` from `results/modes/`;
nobody edits it by hand. Ours are means over n seeds ± one standard error, at the budgets of `zoo/budgets.py`;
seconds are of one core, on a machine that may have been busy. A *mode* is covered by one sample (on points: of high
quality, within 3 standard deviations of its centre), a mode *in force* by a tenth of its even share of the samples. KL
is that of the samples' shares of modes from equal shares, in nats. Papers' cells read: modes, high quality, KL.
"""


def page(tables: Sequence[Mapping[str, Any]]) -> str:
    """Markdown of all tables."""
    parts = [HEAD, *("\n".join(_table(told)) for told in tables)]
    sources = [f"- {name}: arXiv:{arxiv}, {where}" for name, (arxiv, where) in PAPERS.items()]
    return "\n".join([*parts, "## Papers\n", *sources])


def _table(told: Mapping[str, Any]) -> Iterator[str]:
    stacks = told["modes"] > 25
    known = PUBLISHED.get("stacks" if stacks else told["data"], {})
    papers = [name for name in PAPERS if any(name in row for row in known.values())]
    yield f"## {told['data']}\n"
    yield f"{told['modes']:,} modes, {told['samples']:,} samples a seed."
    if told["classifier"]:
        c = told["classifier"]
        yield (f"A classifier tells the classes; it reads {c['accuracy']:.2%} of {c['images']:,} held-out grey images "
               f"right, and so {c['stacks']:.2%} of real stacks.")  # fmt: skip
    columns = ["modes", "modes in force", *([] if stacks else ["high quality"]), "KL"]
    perfect = [_perfect(told["perfect"].get(column), column) for column in columns]
    rows = [["", "n", *columns, "seconds", *papers], ["*a perfect sampler*", "", *perfect, "", *[""] * len(papers)]]
    labels = sorted({cell["label"] for cell in told["cells"]} | set(known))
    for label in labels:
        cells = [cell for cell in told["cells"] if cell["label"] == label]
        cited = [_cited(known.get(label, {}).get(name)) for name in papers]
        rows.append([label, *_ours(cells, columns), *cited])
    yield "\n" + "\n".join(markdown(rows)) + "\n"
    lost = [f"{cell['label']}, seed {cell['seed']}: {cell['failed']}" for cell in told["cells"] if "failed" in cell]
    if lost:
        yield "Without a number:\n\n" + "\n".join(f"- {line}" for line in lost) + "\n"
    differ = DIFFERENCES.get("stacks" if stacks else told["data"], ())
    yield "How the papers' protocols differ:\n\n" + "\n".join(f"- {line}" for line in differ) + "\n"


def _ours(cells: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    whole = [cell for cell in cells if "numbers" in cell]
    if not whole:
        return ["", *[""] * len(columns), ""]
    lost = len(cells) - len(whole)
    n = f"{len(whole)}{f' of {len(cells)}' if lost else ''}"
    told = [_mean([cell["numbers"][column] for cell in whole], column) for column in columns]
    seconds = sum(cell["seconds"] for cell in whole) / len(whole)
    return [n, *told, f"{seconds:.0f}"]


def _mean(values: Sequence[float | None], column: str) -> str:
    """Mean ± standard error; a KL that isn't finite is told as such.

    >>> _mean([7.0, 8.0, 8.0], "modes"), _mean([0.9, 0.95], "high quality")
    ('7.67 ± 0.33', '92.5 ± 2.5 %')
    """
    if any(value is None for value in values):
        return "not finite"
    scale = 100 if column == "high quality" else 1
    known = [scale * float(value or 0.0) for value in values]
    n = len(known)
    mean = sum(known) / n
    unit = " %" if column == "high quality" else ""
    if n == 1:
        return f"{mean:.3g}{unit}"
    error = math.sqrt(sum((value - mean) ** 2 for value in known) / (n - 1) / n)
    digits = 0 if error >= 10 else 1 if column == "high quality" else 2 if error < 10 and mean < 100 else 1
    return f"{mean:.{digits}f} ± {error:.{digits}f}{unit}"


def _perfect(told: Sequence[float] | None, column: str) -> str:
    if told is None:
        return ""
    mean, sd = told
    return f"{100 * mean:.1f} %" if column == "high quality" else f"{mean:.3g} ± {sd:.1g}" if sd else f"{mean:.4g}"


def _cited(row: Published | None) -> str:
    if row is None:
        return ""
    quality = "" if row.quality is None else f", {_number(row.quality)} %"
    return f"{_number(row.modes)}{quality}" + ("" if row.kl is None else f", {_number(row.kl)}")


def _number(value: Number) -> str:
    return f"{value[0]:g} ± {value[1]:g}" if isinstance(value, tuple) else f"{value:g}"


def markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table whose first row is its head; numbers stand to the right."""
    yield "| " + " | ".join(rows[0]) + " |"
    yield "|" + "|".join("---" if i == 0 else "---:" for i in range(len(rows[0]))) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows[1:])
