"""`adversaria zoo modes`: the table of modes, filled and written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from adversaria.cli.parsing import parsed, typed
from adversaria.errors import UserError


@dataclass(frozen=True)
class Modes:
    """Trains every adversarial recipe on data whose modes are known, over seeds, and writes a page.

    Numbers go to results/modes/DATA.json cell by cell, so that it goes on where it was stopped; a cell is kept as long
    as its code and hyperparameters are the same. The page has them beside those that papers report.
    """

    data: str = "ring8,grid25,stacked-digits"
    """Names, or a path with --stacked, apart by commas."""
    recipes: str | None = None
    """Recipes, or labels of rows, apart by semicolons or commas; all without."""
    seeds: int = 6
    """On points."""
    stack_seeds: int = 3
    """On stacks."""
    stacked: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Stack labelled grey images by three: K classes make K^3 modes."""
    jobs: int | None = None
    """Processes, a thread each; as many as there are cores, without."""
    device: str = "cpu"
    """cpu or cuda."""
    out: Path | None = None
    """The folder of results; that of the checkout, or results/ here, without."""
    page: Path | None = None
    """The page; docs/modes.md of the checkout, or modes.md here, without."""
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Say what would be trained, and write the page of what there is."""


def run(arguments: list[str]) -> int:
    """Fills the table and writes the page; 1 where a cell failed."""
    options: Any = parsed(Modes, arguments, prog="adversaria zoo modes")
    from adversaria.cli.zoo import cores, device_there
    from adversaria.zoo.modes import Wish, fill, read_all
    from adversaria.zoo.page import page
    from adversaria.zoo.results import place_of_page, places, replace_file

    device_there(options.device)
    folder = options.out or places()[0]
    wish = Wish(
        tuple(named("--data", options.data)), tuple(row_names(options.recipes)), options.seeds, options.stack_seeds,
        options.stacked, options.jobs or cores(), options.device, typed("adversaria zoo modes", arguments),
    )  # fmt: skip
    failed = fill(wish, folder, lambda line: print(line, flush=True), options.dry_run)
    path = options.page or place_of_page("modes.md", folder, options.out is None)
    replace_file(path, page(read_all(folder)))
    print(f"page:     {path}")
    return 1 if failed else 0


def named(flag: str, text: str, apart: str = ",") -> list[str]:
    """What an option names, at least one.

    Raises:
        UserError: where it names nothing.
    """
    names = [name.strip() for name in text.split(apart) if name.strip()]
    if not names:
        raise UserError(f"{flag} names nothing; give some, or leave it out")
    return names


def row_names(text: str | None) -> list[str]:
    """Labels have commas in them: they are apart by semicolons."""
    return [] if text is None else named("--recipes", text, ";" if ";" in text or ", " in text else ",")
