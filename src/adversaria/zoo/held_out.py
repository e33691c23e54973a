"""One cell of the table of likelihoods: a recipe trained for so many seconds, and what held-out examples cost it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adversaria import catalogue
from adversaria.claims.check import Trial
from adversaria.claims.held import cost, rounds_within, trained
from adversaria.data import Dataset, load
from adversaria.zoo.coverage import MACHINE

if TYPE_CHECKING:
    from adversaria.data.bits import Mode
    from adversaria.game import Recipe


@dataclass(frozen=True)
class Cell:
    """What is trained, on what, from which seed, for how long."""

    label: str
    recipe: str
    preset: str | None
    changed: str
    """Hyperparameters in place of the preset's, as JSON."""
    source: str
    binarise: Mode | None
    seed: int
    budget: float
    """Seconds of one core."""
    examples: int
    """Test examples, at most."""

    def make(self, rounds: int | None = None) -> Recipe:
        """The recipe."""
        length = {} if rounds is None else {"rounds": rounds}
        return catalogue.make(self.recipe, self.preset, **json.loads(self.changed), **length)


@dataclass(frozen=True)
class Held:
    """What a cell gave."""

    numbers: Mapping[str, Any]
    """nll and its standard error over examples, kind, unit, n, and facts of the training."""
    seconds: float
    """Of the training and its looks at the validation split."""
    machine: Mapping[str, Any] = field(default_factory=dict)


@cache
def data_of(source: str, binarise: Mode | None) -> Dataset:
    """The data, loaded once a process."""
    return load(source, binarise=binarise)


def hold_out(cell: Cell) -> Held:
    """Trains for the budget's seconds, goes back to the best look at the validation split, and measures.

    How many rounds fit is measured first, since a learning rate falls over a number of rounds known beforehand.
    """
    from adversaria.runs.environment import environment

    data = data_of(cell.source, cell.binarise)
    rounds = rounds_within(cell.make(), data, cell.budget)
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="adversaria-") as folder:
        game, best = trained(Trial(cell.seed, cell.source, Path(folder)), cell.make(rounds), data)
    seconds = round(time.process_time() - started, 1)
    found = cost(game, data, cell.examples)
    numbers = {
        "nll": found.value, "error": found.error, "kind": found.protocol["kind"], "unit": found.unit, "n": found.n,
        "effective samples": found.details.get("ess_median"), "bound": found.details.get("bound_nats"),
        "rounds": rounds, "best round": best,
        "parameters": sum(p.numel() for p in game.networks.parameters() if p.requires_grad),
    }  # fmt: skip
    machine = {key: value for key, value in environment().items() if key in MACHINE and value is not None}
    return Held(numbers, seconds, machine)
