"""`adversaria check`: what must be true of a model by its definition, tried on a tiny copy of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from adversaria import catalogue
from adversaria.cli.options import destination
from adversaria.cli.parsing import parsed
from adversaria.runs.folder import RunFolder

if TYPE_CHECKING:
    from adversaria.oracles import Finding


@dataclass(frozen=True)
class Check:
    """Tries oracles on a tiny copy of a recipe: probabilities sum to 1, nothing looks ahead, inverses and derivatives
    agree, samplers draw what densities say, bounds are in order.

    Exit code 1 where one fails."""

    what: tyro.conf.Positional[str]
    """A run folder, a recipe's name, or the file of a recipe of your own."""
    seed: int = 0
    """Of weights, samples and codes."""
    out: Path | None = None
    """A page of the results; RUN/check.html for a run, none for a recipe without."""


def run(arguments: list[str]) -> int:
    """Tries, tells and writes."""
    options = parsed(Check, arguments, prog="adversaria check")
    entry, out = _found(options)
    if out is not None:
        destination(out, (), "", "check.html")
    from adversaria.oracles import findings

    recipe = catalogue.make(str(entry.path), "smoke" if "smoke" in entry.presets else None)
    found: list[Finding] = []
    data = ""
    for finding in findings(recipe.build, recipe.KINDS, recipe.spec_for, options.seed):
        if finding.data != data:
            data = finding.data
            print(f"{entry.name}, {data}:")
        print(f"  {finding.state:<14}  {finding.oracle:<17}  {finding.told}", flush=True)
        found.append(finding)
    failed = sum(finding.state == "fails" for finding in found)
    tried = sum(finding.state != "can't be tried" for finding in found)
    print(f"{tried - failed} of {tried} oracles hold")
    if out is not None:
        from adversaria.report.checks import write_checks

        print(f"page:     {write_checks(entry.name, [vars(finding) for finding in found], out)}")
    return 1 if failed else 0


def _found(options: Check) -> tuple[catalogue.Entry, Path | None]:
    place = Path(options.what)
    if not place.is_dir():
        return catalogue.find(options.what), options.out
    folder = RunFolder.open(place)
    entry = replace(catalogue.read(place / "recipe.py"), name=folder.config.recipe)
    return entry, options.out or place / "check.html"
