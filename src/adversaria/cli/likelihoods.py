"""`adversaria zoo likelihoods`: the table of likelihoods, filled and written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from adversaria.cli.modes import named, row_names
from adversaria.cli.parsing import parsed, typed


@dataclass(frozen=True)
class Likelihoods:
    """Trains every recipe that has a likelihood for the same time, over seeds, and writes a page.

    Numbers go to results/likelihoods/DATA.json cell by cell, so that it goes on where it was stopped; a cell is kept as
    long as its code, hyperparameters and budget are the same. The weights of the look with the best objective on the
    validation split are measured on test examples. The page has them beside those that papers report.
    """

    data: str = "digits-static,digits-dynamic"
    """Names or paths, apart by commas."""
    binarise: Literal["static", "dynamic"] | None = None
    """Make black and white images of the data, as `adversaria train --binarise` does."""
    recipes: str | None = None
    """Recipes, or labels of rows, apart by semicolons or commas; all without."""
    seeds: int = 3
    """How many, 0 and on."""
    seconds: float = 30.0
    """Of one core, that each seed of a row trains."""
    examples: int = 1_000
    """Test examples, at most."""
    jobs: int | None = None
    """Processes, a thread each; as many as there are cores, without."""
    out: Path | None = None
    """The folder of results; that of the checkout, or results/ here, without."""
    page: Path | None = None
    """The page; docs/likelihoods.md of the checkout, or likelihoods.md here, without."""
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Say what would be trained, and write the page of what there is."""


def run(arguments: list[str]) -> int:
    """Fills the table and writes the page; 1 where a cell failed."""
    options: Any = parsed(Likelihoods, arguments, prog="adversaria zoo likelihoods")
    from adversaria.cli.zoo import cores
    from adversaria.zoo.likelihood_page import page
    from adversaria.zoo.likelihoods import Wish, fill, read_all
    from adversaria.zoo.results import place_of_page, places, replace_file

    folder = options.out or places()[0]
    wish = Wish(
        tuple(named("--data", options.data)), options.binarise, tuple(row_names(options.recipes)), options.seeds,
        options.seconds, options.examples, options.jobs or cores(),
        typed("adversaria zoo likelihoods", arguments),
    )  # fmt: skip
    failed = fill(wish, folder, lambda line: print(line, flush=True), options.dry_run)
    path = options.page or place_of_page("likelihoods.md", folder, options.out is None)
    replace_file(path, page(read_all(folder)))
    print(f"page:     {path}")
    return 1 if failed else 0
