"""The page of a check: what must be true of a model by its definition, and whether it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from adversaria.report.document import document
from adversaria.report.markup import section, table, tag
from adversaria.runs.folder import RunFolder


def write_checks(name: str, findings: Sequence[Mapping[str, str]], out: Path) -> Path:
    """Writes the findings on a recipe as one HTML file that loads nothing, in one step, and returns its path.

    Args:
        name: of the recipe.
        findings: each with its oracle, data, state, and what is told of it.
        out: the file.
    """
    kinds = list(dict.fromkeys(finding["data"] for finding in findings))
    failed = sum(finding["state"] == "fails" for finding in findings)
    tried = sum(finding["state"] != "can't be tried" for finding in findings)
    held = f"{tried - failed} of {tried} oracles hold" if tried else "Nothing could be tried"
    page = document(
        f"Check of {name}",
        tag(
            "header",
            tag("p", "Check of a recipe of adversaria", class_="eyebrow"),
            tag("h1", name),
            tag("p", f"{held}, on a tiny copy in float64 whose weights were moved."),
        ),
        *(
            section(
                kind,
                table(
                    ("oracle", "", "what was found"),
                    [(f["oracle"], f["state"], f["told"]) for f in findings if f["data"] == kind],
                ),
            )
            for kind in kinds
        ),
    )
    return RunFolder(out.parent).write(out.name, page.encode("utf-8", errors="replace"))
