"""`adversaria new`: a recipe of one's own, from one that works."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from adversaria import catalogue
from adversaria.cli.parsing import parsed
from adversaria.errors import UserError


@dataclass(frozen=True)
class New:
    """Writes a recipe file to change as you like; 'adversaria train ./my_gan.py' runs it."""

    name: tyro.conf.Positional[str]
    """Its name, such as my-gan: the file is my_gan.py in this folder."""
    source: Annotated[str, tyro.conf.arg(name="from", metavar="RECIPE")] = "gan"
    """The recipe to begin with."""


def run(arguments: list[str]) -> int:
    """Writes the file."""
    options = parsed(New, arguments, prog="adversaria new")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", options.name):
        raise UserError(f"'{options.name}' is no recipe name; small letters, digits and single hyphens: my-gan")
    path = Path(options.name.replace("-", "_") + ".py")
    if path.exists():
        raise UserError(f"{path} is there already; choose another name, or remove it")
    entry = catalogue.find(options.source)
    path.write_text(entry.path.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{path}: {entry.name}, to be changed into {options.name}")
    print(f"try it:  adversaria train ./{path} --data digits --preset smoke --out runs/{options.name}")
    return 0
