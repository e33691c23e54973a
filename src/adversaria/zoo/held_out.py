"""One cell of the table of likelihoods: a recipe trained for so many seconds, and what held-out examples cost it."""

from __future__ import annotations

import copy
import json
import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from adversaria import catalogue
from adversaria.claims.check import Trial
from adversaria.data import Batch, Dataset, load
from adversaria.errors import UserError
from adversaria.game import play
from adversaria.game.game import seeded
from adversaria.metrics.kinds import of_spec
from adversaria.metrics.likelihood import negative_log_likelihood
from adversaria.zoo.coverage import MACHINE

if TYPE_CHECKING:
    from adversaria.data.bits import Mode
    from adversaria.game import Game, Recipe, Round

SAMPLES = 128
"""Codes for each example, of models with latent variables."""
WATCHED = 500
"""Validation examples that the objective is watched on, at most."""
LOOKS = 20
"""How often."""


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
    """Trains for the budget's seconds, goes back to the best of `LOOKS` looks at the validation split, and measures.

    How many rounds fit is measured first, since a learning rate falls over a number of rounds known beforehand.
    """
    from adversaria.runs.environment import environment

    data = data_of(cell.source, cell.binarise)
    rounds = rounds_within(cell.make(), data, cell.budget)
    started = time.process_time()
    watch = Watch(data, rounds)
    with tempfile.TemporaryDirectory(prefix="adversaria-") as folder:
        game = Trial(cell.seed, cell.source, Path(folder)).play(cell.make(rounds), data, watch=watch)
    seconds = round(time.process_time() - started, 1)
    if not watch.best < math.inf:
        raise UserError(f"the objective on validation examples was never finite in {rounds} rounds")
    game.load_state_dict(watch.state)
    x = data.examples(min(cell.examples, data.size("test")), "test").x
    exact = game.can("log_prob")
    found = negative_log_likelihood(game, x, data=of_spec(data.spec), samples=None if exact else SAMPLES, chunk=2_000)
    numbers = {
        "nll": found.value, "error": found.error, "kind": found.protocol["kind"], "unit": found.unit, "n": found.n,
        "effective samples": found.details.get("ess_median"), "rounds": rounds, "best round": watch.at,
        "parameters": sum(p.numel() for p in game.networks.parameters() if p.requires_grad),
    }  # fmt: skip
    machine = {key: value for key, value in environment().items() if key in MACHINE and value is not None}
    return Held(numbers, seconds, machine)


def rounds_within(recipe: Recipe, data: Dataset, budget: float) -> int:
    """Rounds that take so many seconds of one core, at the pace of a fresh game's first two seconds."""
    torch.manual_seed(0)
    game = recipe.build(data.spec)
    batches = data.batches(recipe.batch, seed=0)
    started, done = math.nan, 0
    for record in play(game.stage(), batches, rounds=100_000):
        if record.number == 3:  # what is set up once is behind
            started = time.process_time()
        done = record.number - 3
        spent = time.process_time() - started
        if done > 0 and (spent > 2 or (spent > budget / 10 and done >= 5)):
            break
    return max(LOOKS, int(budget * done / spent))


class Watch:
    """The objective on validation examples, from one seed so that looks compare, and the game where it was lowest."""

    def __init__(self, data: Dataset, rounds: int) -> None:
        self.x = data.examples(min(WATCHED, data.size("valid")), "valid").x
        self.every = max(1, rounds // LOOKS)
        self.best, self.at = math.inf, 0
        self.state: dict[str, Tensor] = {}

    def __call__(self, game: Game, record: Round) -> None:
        """Looks, where it is time to."""
        if record.number % self.every:
            return
        (player,) = game.stage().players
        with game.at_rest(), seeded(0):
            parts = [sum(float(term) for term in player.objective(Batch(x)).values()) for x in self.x.split(100)]
        told = sum(parts) / len(parts)
        if told < self.best:
            self.best, self.at, self.state = told, record.number, copy.deepcopy(game.state_dict())
