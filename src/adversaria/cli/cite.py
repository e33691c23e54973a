"""`adversaria cite`: where a recipe was published."""

from dataclasses import dataclass

import tyro

from adversaria import catalogue
from adversaria.cli.parsing import parsed
from adversaria.errors import UserError


@dataclass(frozen=True)
class Cite:
    """A recipe's BibTeX entry."""

    recipe: tyro.conf.Positional[str]
    """Name of a recipe."""


def run(arguments: list[str]) -> int:
    """Prints the entry."""
    options = parsed(Cite, arguments, prog="adversaria cite")
    print(bibtex(catalogue.find(options.recipe)))
    return 0


def bibtex(entry: catalogue.Entry) -> str:
    """A BibTeX entry from what the recipe's file says of its source.

    Raises:
        UserError: where it says nothing.
    """
    said = entry.reference
    if not said:
        raise UserError(f"{entry.path} has no REFERENCE; add REFERENCE = Reference(title=..., authors=..., year=...)")
    lines = {"title": said["title"], "author": said["authors"].replace(", ", " and "), "year": said["year"]}
    if said.get("venue"):
        lines["booktitle"] = said["venue"]
    if said.get("arxiv"):
        lines |= {"eprint": said["arxiv"], "archivePrefix": "arXiv"}
    body = "".join(f"  {key} = {{{value}}},\n" for key, value in lines.items())
    return f"@{'inproceedings' if said.get('venue') else 'misc'}{{{entry.name},\n{body}}}"
