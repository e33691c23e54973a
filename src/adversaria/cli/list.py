"""`adversaria list`: the recipes there are."""

from dataclasses import dataclass
from typing import Annotated

from adversaria import catalogue
from adversaria.errors import unknown


def run(arguments: list[str]) -> int:
    """Prints the table."""
    family = _family(arguments) if arguments else None  # the whole list answers without waiting for the parser
    entries = list(catalogue.entries().values())
    families = sorted({entry.family for entry in entries})
    if family is not None and family not in families:
        raise unknown("family", family, families)
    for entry in entries:
        if family in (None, entry.family):
            print(f"{entry.name:<14} {entry.family:<12} {entry.year}  {entry.summary}")
    return 0


def _family(arguments: list[str]) -> str | None:
    import tyro

    from adversaria.cli.parsing import parsed

    @dataclass(frozen=True)
    class List:
        """Every recipe: name, family, year, one line."""

        family: Annotated[str | None, tyro.conf.arg(metavar="FAMILY")] = None
        """Only this family."""

    found: str | None = parsed(List, arguments, prog="adversaria list").family
    return found
