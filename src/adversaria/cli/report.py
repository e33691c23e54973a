"""`adversaria report`: one page on a run."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from adversaria.cli.parsing import parsed


@dataclass(frozen=True)
class Report:
    """Writes RUN/report.html, one file that opens from disk."""

    run: tyro.conf.Positional[Path]
    """The run folder."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""


def run(arguments: list[str]) -> int:
    """Writes the report."""
    options = parsed(Report, arguments, prog="adversaria report")
    from adversaria.api import load_run

    print(load_run(options.run, options.recipe).report())
    return 0
