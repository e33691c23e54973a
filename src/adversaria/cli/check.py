"""`adversaria check`: what must be true of a model by its definition, tried on a tiny copy of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adversaria import catalogue
from adversaria.cli.options import destination
from adversaria.cli.parsing import parsed, parsed_with
from adversaria.errors import UserError
from adversaria.runs.folder import RunFolder

if TYPE_CHECKING:
    from adversaria.game import Recipe
    from adversaria.oracles import Finding


@dataclass(frozen=True)
class Check:
    """Tries oracles on a tiny copy of a recipe: probabilities sum to 1, nothing looks ahead, inverses and derivatives
    agree, samplers draw what densities say, bounds are in order.

    Of a run, a recipe, or the file of a recipe of your own: with the run's hyperparameters, those given here, and sizes
    from the preset smoke. Exit code 1 where one fails, or where nothing could be tried."""

    seed: int = 0
    """Of weights, samples and codes."""
    out: Path | None = None
    """A page of the results; RUN/check.html for a run, none for a recipe without."""


def run(arguments: list[str]) -> int:
    """Tries, tells and writes."""
    if arguments and arguments[0] in ("-h", "--help"):
        parsed(Check, ["--help"], prog="adversaria check WHAT")
    if not arguments or arguments[0].startswith("-"):
        raise UserError("what is to be checked? a run or a recipe:  adversaria check runs/a, adversaria check nade")
    entry, recipe = _found(arguments[0])
    options = parsed_with(Check, recipe, arguments[1:], f"adversaria check {arguments[0]}", str(Check.__doc__))
    recipe, out = options.recipe, options.out
    if out is None and Path(arguments[0]).is_dir():
        out = Path(arguments[0]) / "check.html"
    if out is not None:
        destination(out, (), "", "check.html")
    from adversaria.oracles import findings

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
    print(f"{tried - failed} of {tried} oracles hold" if tried else f"nothing could be tried: {found[0].told}")
    if out is not None:
        from adversaria.report.checks import write_checks

        print(f"page:     {write_checks(entry.name, [vars(finding) for finding in found], out)}")
    return 1 if failed or not tried else 0


def _found(what: str) -> tuple[catalogue.Entry, Recipe]:
    """A run's or a recipe's entry, and the recipe with the sizes of its preset smoke."""
    place, fields = Path(what), {}
    if place.is_dir():
        config = RunFolder.open(place).config
        entry, fields = replace(catalogue.read(place / "recipe.py"), name=config.recipe), config.fields
    else:
        entry = catalogue.find(what)
    small = entry.presets.get("smoke", {})
    kept = {name: value for name, value in fields.items() if name not in small}
    return entry, catalogue.make(str(entry.path), "smoke" if small else None, **kept)
