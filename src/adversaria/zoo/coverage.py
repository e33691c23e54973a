"""One cell of the table of modes: a recipe trained from one seed, and how its samples spread over the data's modes."""

from __future__ import annotations

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
from adversaria.data import Dataset, load
from adversaria.data.made import modes
from adversaria.data.stacked import Stacks
from adversaria.errors import UserError
from adversaria.evaluation.stacks import StackClassifier, stack_classifier, stack_coverage
from adversaria.metrics.modes import mode_coverage

if TYPE_CHECKING:
    from adversaria.game import Game, Recipe

SAMPLES = {"points": 10_000, "image": 26_000}
"""How many, by kind of data; of stacks as many as Srivastava et al. (2017), arXiv:1705.07761, Section 4.2."""
PIECE = 2_000
MACHINE = ("processor", "cores", "threads", "torch", "gpu")


@dataclass(frozen=True)
class Cell:
    """What is trained, on what, from which seed."""

    label: str
    recipe: str
    preset: str | None
    changed: str
    """Hyperparameters in place of the preset's, as JSON."""
    source: str
    stacked: bool
    seed: int
    device: str = "cpu"

    def make(self) -> Recipe:
        """The recipe."""
        return catalogue.make(self.recipe, self.preset, **json.loads(self.changed))


@dataclass(frozen=True)
class Covered:
    """Numbers of a cell, and what a perfect sampler would get: mean and standard deviation, where they are known."""

    numbers: Mapping[str, float]
    perfect: Mapping[str, tuple[float, float]]
    seconds: float
    """Of the training, on one core."""
    classifier: Mapping[str, float] = field(default_factory=dict)
    """Accuracy of what told the classes of stacks."""
    machine: Mapping[str, Any] = field(default_factory=dict)


def cover(cell: Cell) -> Covered:
    """Trains and measures a cell.

    Raises:
        UserError: where the recipe is told the mode, or its samples aren't finite.
    """
    from adversaria.runs.environment import environment

    data = data_of(cell.source, cell.stacked)
    clock = time.process_time if cell.device == "cpu" else time.perf_counter
    started = clock()
    with tempfile.TemporaryDirectory(prefix="adversaria-") as folder:
        game = Trial(cell.seed, cell.source, Path(folder), device=cell.device).play(cell.make(), data)
    seconds = round(clock() - started, 1)
    x = samples_of(game, SAMPLES[data.spec.kind])
    machine = {key: value for key, value in environment().items() if key in MACHINE and value is not None}
    if not isinstance(data.store, Stacks):
        return Covered(*on_points(x, data.name), seconds, machine=machine)
    classifier = classifier_of(cell.source, cell.stacked)
    accuracy = classifier.accuracy
    told = {"accuracy": accuracy.value, "stacks": accuracy.details["stack_accuracy"], "images": accuracy.n}
    return Covered(*on_stacks(x, classifier), seconds, told, machine)


@cache
def data_of(source: str, stacked: bool) -> Dataset:
    """The data, loaded once a process.

    Raises:
        UserError: where they have no known modes.
    """
    data = load(source, stacked=stacked)
    if not isinstance(data.store, Stacks):
        modes(data.name)
    return data


@cache
def classifier_of(source: str, stacked: bool) -> StackClassifier:
    """What tells the classes of stacks, trained once a process."""
    return stack_classifier(data_of(source, stacked))


def samples_of(game: Game, n: int) -> Tensor:
    """Samples (n, *shape), on the CPU.

    Raises:
        UserError: where the model is told the mode.
    """
    if game.condition is not None:
        raise UserError(f"this model samples given {game.condition}s: it is told the mode")
    return torch.cat([game.sample(min(PIECE, n - start), seed=start).cpu() for start in range(0, n, PIECE)])


Numbers = tuple[dict[str, float], dict[str, tuple[float, float]]]


def on_points(x: Tensor, name: str) -> Numbers:
    """Modes, modes in force (a tenth of their even share, of high quality), share of high quality, KL and JSD."""
    known = modes(name)
    found = mode_coverage(generated=x, centres=torch.from_numpy(known.centres), sd=known.sd)
    return (
        {key: estimate.value for key, estimate in found.items()},
        {key: (estimate.null.mean, estimate.null.sd) for key, estimate in found.items() if estimate.null},
    )


def on_stacks(x: Tensor, classifier: StackClassifier) -> Numbers:
    """The same of stacks, without quality; what a perfect sampler gets is as seen through the classifier."""
    found = stack_coverage(images=x, classifier=classifier)
    classes = classifier.classes**3
    counts = torch.bincount(classifier.label_stacks(x), minlength=classes)
    force = max(1, math.ceil(len(x) / (10 * classes)))
    return (
        {key: estimate.value for key, estimate in found.items()} | {"modes in force": float((counts >= force).sum())},
        {key: (estimate.null.mean, estimate.null.sd) for key, estimate in found.items() if estimate.null},
    )
