"""`adversaria diagnose`: verdicts in words, each with the numbers that decided it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from adversaria.cli.parsing import parsed
from adversaria.errors import at_least

if TYPE_CHECKING:
    from adversaria.diagnose.verdict import Verdict


@dataclass(frozen=True)
class Diagnose:
    """Says what is wrong with a run, what isn't, and what can't be told; then what to change.

    Lines of evidence begin with ! where they speak for the fault, with - where against it. Verdicts go to
    RUN/diagnosis.json and the report.
    """

    run: tyro.conf.Positional[Path]
    """The run folder."""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """Samples to draw; as many as there are held-out examples, 5,000 at most, without."""
    features: str | None = None
    """As for 'evaluate'."""
    dynamics: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Look at the game too: eigenvalues of its vector field, path between checkpoints, duality gap (minutes)."""
    seed: int = 0
    """Of samples, subsets and permutations."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print JSON in place of words."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""


def run(arguments: list[str]) -> int:
    """Diagnoses and tells."""
    options = parsed(Diagnose, arguments, prog="adversaria diagnose")
    if options.n is not None:
        at_least("-n", options.n, 10)
    at_least("--seed", options.seed, 0)
    from adversaria.api import load_run

    run = load_run(options.run, options.recipe)
    said = run.diagnose(options.n, features=options.features, seed=options.seed)
    told = run.dynamics(seed=options.seed) if options.dynamics else None
    if options.json:
        account = run.folder.read_json("diagnosis.json")
        print(json.dumps(account | ({"dynamics": told} if told else {}), indent=1))
        return 0
    print(f"{run.path}, round {run.round}")
    for line in _lines(said, told or {}):
        print(line)
    print(f"\nreport:   adversaria report {run.path}")
    return 0


def _lines(said: list[Verdict], dynamics: dict[str, str]) -> Iterator[str]:
    yield from (f"\n{verdict}" for verdict in said if verdict.state != "not applicable")
    missing = [verdict for verdict in said if verdict.state == "not applicable"]
    if missing:
        yield "\nnot applicable:"
        yield from (f"  {verdict.name}: {verdict.sentence}" for verdict in missing)
    if dynamics:
        yield "\ndynamics:"
        yield from (f"  {name}: {sentence}" for name, sentence in dynamics.items())
