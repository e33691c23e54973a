"""A check of a claim: what is measured once a seed, on which data, and which side of which threshold it must lie on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from adversaria import catalogue
from adversaria.data import Dataset, load
from adversaria.errors import UserError
from adversaria.game import Game, Recipe, Referee, plan, play

if TYPE_CHECKING:
    from adversaria.api import Run
    from adversaria.game import Round

Side = Literal["above", "below", "within"]
Own = Literal["", "images", "labelled images", "points"]


@dataclass(frozen=True)
class Measured:
    """What one seed gave; with an ablation of the same seed, the value is their difference."""

    value: float
    against: float | None = None
    """The ablation's."""
    facts: Mapping[str, float | int | str] = field(default_factory=dict)
    """Further numbers worth keeping."""

    @property
    def difference(self) -> float:
        """What the verdict is about."""
        return self.value if self.against is None else self.value - self.against


Answer = float | bool | Measured


@dataclass(frozen=True, kw_only=True)
class Check:
    """One measured quantity that a claim predicts.

    `measure` is a function of a trial alone, at the top of its file. It returns a number; True or False for what can
    only be or not be; `Measured` where an ablation was measured beside it; or, where one training answers several
    checks, all of these by their quantity. Checks that share `measure` share its trainings.
    """

    claim: str
    """One of the recipe's CLAIMS, word for word."""
    quantity: str
    """What is measured, in a few words; with an ablation, what is subtracted from what."""
    measure: Callable[[Trial], Answer | Mapping[str, Answer]]
    threshold: float | tuple[float, float]
    """Of the mean over seeds (the share of seeds, where they say True or False); both ends for "within"."""
    holds: Side
    """Which side of the threshold the claim is on."""
    data: tuple[str, ...] = ("digits",)
    """Names of the data it is made for, the one taken without a wish first; none where the user must bring them."""
    own: Own = ""
    """Which data of the user's own it takes; none without."""
    seeds: int = 5
    quick_seeds: int = 3
    needs: str = ""
    """For a check without data of its own: which to bring, as "MNIST"."""

    def __post_init__(self) -> None:
        pair = isinstance(self.threshold, tuple)
        if pair != (self.holds == "within"):
            raise ValueError(f"'{self.quantity}': within has two thresholds, above and below have one")
        if not self.data and not (self.own and self.needs):
            raise ValueError(f"'{self.quantity}' has no data; say which of the user's own it takes, and needs")


class Trial:
    """One seed of a check: the data, and ways to train on them in which everything random comes from the seed."""

    def __init__(self, seed: int, source: str, folder: Path, *, quick: bool = False, device: str = "cpu") -> None:
        self.seed, self.source, self.folder, self.quick, self.device = seed, source, folder, quick, device
        self.trained: dict[str, Any] = {}
        """What was trained, as it goes into the results: fields of recipes, by name."""

    @cached_property
    def data(self) -> Dataset:
        """The data asked for; a check that makes its own never looks."""
        return load(self.source)

    def play(
        self, recipe: Recipe, data: Any = None, *, rounds: int | None = None,
        watch: Callable[[Game, Round], None] | None = None, prepare: Callable[[Game], Game] | None = None,
    ) -> Game:  # fmt: skip
        """Plays a recipe's stages to their end, in memory, and returns the game; the same bits as `adversaria train`.

        Args:
            recipe: the system.
            data: anything that `load` takes; the trial's without.
            rounds: in place of the recipe's.
            watch: is called with the game after every round.
            prepare: changes the game, or plays it, before the first round.
        """
        recipe = self._noted(recipe, rounds)
        arranged = recipe.arrange(self.data if data is None else load(data))
        torch.manual_seed(self.seed)
        game = recipe.build(arranged.spec).to(self.device)
        game = game if prepare is None else prepare(game)
        for i, (stage, share) in enumerate(zip(game.stages, plan(game.stages, recipe.rounds), strict=True)):
            batches = arranged.batches(recipe.batch, seed=self.seed + i, device=self.device)
            for record in play(stage, batches, referee=Referee(stage, share)):
                if watch is not None:
                    watch(game, record)
        return game

    def train(self, recipe: Recipe, data: Any = None, *, rounds: int | None = None) -> Run:
        """Trains in a run folder, for what needs checkpoints or a log; `play` is quicker."""
        from adversaria.api import train

        recipe = self._noted(recipe, rounds)
        out = self.folder / f"run-{sum(1 for _ in self.folder.iterdir())}"
        return train(recipe, self.data if data is None else data, seed=self.seed, device=self.device, out=out)

    def _noted(self, recipe: Recipe, rounds: int | None) -> Recipe:
        if rounds is not None:
            recipe = catalogue.checked(lambda: replace(recipe, rounds=rounds))
        name = type(recipe).__module__.rpartition(".")[2].replace("_", "-")
        place, i = name, 2
        while self.trained.get(place, recipe.fields()) != recipe.fields():
            place, i = f"{name} {i}", i + 1
        self.trained[place] = recipe.fields()
        return recipe


def answer_of(check: Check, answers: Answer | Mapping[str, Answer]) -> Answer:
    """What `check.measure` said of this check.

    Raises:
        UserError: where it said nothing of it.
    """
    if not isinstance(answers, Mapping):
        return answers
    if check.quantity not in answers:
        raise UserError(f"{check.measure.__name__} measured {', '.join(answers)}; none is '{check.quantity}'")
    return answers[check.quantity]
