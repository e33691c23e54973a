"""The page of the table of likelihoods: our numbers with their errors, beside closed forms and what papers report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from adversaria.zoo.page import markdown

HEAD = """# Table of likelihoods

What held-out examples cost under each recipe that has a likelihood: lower is better. Written by
`adversaria zoo likelihoods` from `results/likelihoods/`; nobody edits it by hand. Every seed of a row was trained for
the same seconds of one core (the last column has what it took, looks at the validation split included), at the
recipe's preset `small` unless the row says otherwise. Of twenty looks at the objective on validation examples the
weights of the best are measured on test examples. The first ± is the standard error over test examples, the second
that over n seeds. *Importance weighted* numbers and *lower bounds* lie above the model's own in expectation, *exact*
ones are it. Small budgets order recipes by how soon they learn, not by how far they come.
"""


class Cited(NamedTuple):
    """What a paper reports."""

    nll: float
    of: str
    """Of which networks."""
    arxiv: str
    where: str
    """The table, where it is known."""


PUBLISHED: dict[str, dict[str, Cited]] = {
    "mnist-static": {
        "nade": Cited(88.33, "500 units", "1605.02226", "the authors' code"),
        "deep-nade": Cited(85.10, "two layers, 128 orders", "1605.02226", "the authors' code"),
        "made": Cited(86.64, "two layers, 32 masks", "1502.03509", ""),
        "pixelcnn": Cited(81.30, "", "1611.05013", "Table 1"),
        "gated-pixelcnn": Cited(80.10, "", "1611.05013", "Table 1"),
        "pixelrnn": Cited(79.20, "diagonal BiLSTM, seven layers", "1601.06759", ""),
        "pixelvae": Cited(79.02, "without upsampling", "1611.05013", "Table 1"),
        "vae-nf": Cited(85.1, "80 planar steps", "1505.05770", ""),
        "vae-iaf": Cited(79.88, "ResNet", "1606.04934", ""),
        "iwae": Cited(87.10, "one layer, k = 50", "1509.00519", "Table 1"),
        "vamp-prior-vae": Cited(85.57, "one layer", "1705.07120", ""),
    },
    "mnist-dynamic": {
        "vae": Cited(86.76, "one layer of 50 codes", "1509.00519", "Table 1"),
        "iwae": Cited(84.78, "one layer, k = 50", "1509.00519", "Table 1"),
        "iwae, k = 1": Cited(86.76, "one layer", "1509.00519", "Table 1"),
        "iwae, two layers": Cited(82.90, "k = 50", "1509.00519", "Table 1"),
        "lvae": Cited(81.74, "five layers, ten samples", "1602.02282", ""),
        "vae-iaf": Cited(79.10, "ResNet, eight steps", "1606.04934", "Table 1"),
    },
}
"""Nats by name of the data and label, or recipe, of a row."""
NOTES = (
    "The papers train the networks named for days, on 50,000 or 60,000 images. Static numbers of papers are on the set "
    "of Salakhutdinov and Murray, which is another draw of the same probabilities than the static set here; dynamic "
    "ones on a test set drawn once or anew, here on one that is drawn once. Static and dynamic differ by about two "
    "nats for one network (arXiv:1509.00519)."
)


def page(tables: Sequence[Mapping[str, Any]]) -> str:
    """Markdown of all tables."""
    return "\n".join([HEAD, *("\n".join(_of_data(told)) for told in tables)]).rstrip()


def _of_data(told: Mapping[str, Any]) -> Iterator[str]:
    cited = PUBLISHED.get(told["data"], {})
    yield f"## {told['data']}\n"
    yield (f"{told['d']} numbers an example, {told['train']:,} training and {told['n']:,} test examples (fingerprint "
           f"{told['fingerprint'][:12]}), {told['samples']} codes an example for importance weighting.")  # fmt: skip
    if told["lossy"]:
        yield "Pixels were JPEG-coded: no number here compares with published ones on them as they were before."
    for budget in sorted({cell["budget"] for cell in told["cells"]}):
        cells = [cell for cell in told["cells"] if cell["budget"] == budget]
        yield f"\n{budget:g} seconds of one core:\n"
        yield from markdown(_rows(told, cells, cited))
        lost = [f"{cell['label']}, seed {cell['seed']}: {cell['failed']}" for cell in cells if "failed" in cell]
        if lost:
            yield "\nWithout a number:\n\n" + "\n".join(f"- {line}" for line in lost)
    if cited:
        yield f"\n{NOTES}\n\nPapers:\n"
        places = sorted({(row.arxiv, row.where) for row in cited.values()})
        yield "\n".join(f"- arXiv:{arxiv}" + (f", {where}" if where else "") for arxiv, where in places)
    yield ""


def _rows(
    told: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], cited: Mapping[str, Cited]
) -> list[list[str]]:  # fmt: skip
    whole = [cell for cell in cells if "numbers" in cell]
    unit = next((cell["numbers"]["unit"] for cell in whole), "")
    papers = ["published"] if cited else []
    rows = {
        f"*{name}*": (floor["nll"], ["closed form", f"{floor['nll']:.2f} ± {floor['error']:.2f}", "", "", "", "", ""])
        for name, floor in told["floors"].items()
    }
    for label in {cell["label"] for cell in whole}:
        mine = [cell for cell in whole if cell["label"] == label]
        rows[label] = fmean(cell["numbers"]["nll"] for cell in mine), _row(mine)
    ranked = sorted(rows.items(), key=lambda row: row[1][0])
    head = ["", "kind", unit, "over seeds", "n", "best round of", "parameters", "seconds", *papers]
    beside = {label: [_cited(cited.get(label) or cited.get(label.partition(",")[0]))] for label in rows}
    return [head, *([label, *told, *(beside[label] if cited else [])] for label, (_, told) in ranked)]


def _row(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    n = [cell["numbers"] for cell in cells]
    values = [each["nll"] for each in n]
    over_seeds = f"± {stdev(values) / math.sqrt(len(values)):.2f}" if len(values) > 1 else ""
    error = fmean(each["error"] for each in n)
    kind = n[0]["kind"].partition(" (")[0]
    rounds = f"{fmean(each['best round'] for each in n):,.0f} of {fmean(each['rounds'] for each in n):,.0f}"
    return [kind, f"{fmean(values):.2f} ± {error:.2f}", over_seeds, str(len(values)), rounds, f"{n[0]['parameters']:,}",
            f"{fmean(cell['seconds'] for cell in cells):.0f}"]  # fmt: skip


def _cited(row: Cited | None) -> str:
    return "" if row is None else f"{row.nll:.2f}" + (f" ({row.of})" if row.of else "")
