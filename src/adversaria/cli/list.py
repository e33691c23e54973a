"""`adversaria list`: the recipes there are."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from adversaria import catalogue
from adversaria.cli.parsing import parsed
from adversaria.errors import unknown


@dataclass(frozen=True)
class List:
    """Every recipe: name, family, year, one line."""

    family: Annotated[str | None, tyro.conf.arg(metavar="FAMILY")] = None
    """Only this family."""


def run(arguments: list[str]) -> int:
    """Prints the table."""
    options = parsed(List, arguments, prog="adversaria list")
    entries = list(catalogue.entries().values())
    families = sorted({entry.family for entry in entries})
    if options.family is not None and options.family not in families:
        raise unknown("family", options.family, families)
    for entry in entries:
        if options.family in (None, entry.family):
            print(f"{entry.name:<14} {entry.family:<12} {entry.year}  {entry.summary}")
    return 0
