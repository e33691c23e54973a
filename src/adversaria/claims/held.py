"""What held-out examples cost a model: how claims about likelihoods are measured.

A model is trained, taken back to the best of `LOOKS` looks at its objective on the validation split, and asked for the
likelihood of test examples by the tightest means it has: exactly, by importance weighting, or by a bound. Two models
that are compared play from the same seed.
"""

import copy
import math
import time

import torch
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Measured, Trial
from adversaria.data import Batch, Dataset, load
from adversaria.errors import UserError
from adversaria.game import Game, Recipe, Round, play, seeded
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.kinds import of_spec
from adversaria.metrics.likelihood import negative_log_likelihood
from adversaria.metrics.work import codes_within

SAMPLES = 128
"""Codes for each example, of models with latent variables; fewer of dear ones, see `metrics.work`."""
WATCHED = 500
"""Validation examples that the objective is watched on, at most."""
TESTED = 1_000
"""Test examples, at most."""
LOOKS = 20


class Watch:
    """The objective on validation examples, from one seed so that looks compare, and the game where it was lowest."""

    def __init__(self, data: Dataset, rounds: int) -> None:
        self.x = data.examples(min(WATCHED, data.size("valid")), "valid")
        self.every = max(1, rounds // LOOKS)
        self.best, self.at = math.inf, 0
        self.state: dict[str, Tensor] = {}

    def __call__(self, game: Game, record: Round) -> None:
        """Looks, where it is time to."""
        if record.number % self.every:
            return
        (player,) = game.stage().players
        with game.at_rest(), seeded(0):
            parts = [sum(float(term) for term in player.objective(batch).values()) for batch in self.batches(game)]
        told = sum(parts) / len(parts)
        if told < self.best:
            self.best, self.at, self.state = told, record.number, copy.deepcopy(game.state_dict())

    def batches(self, game: Game) -> list[Batch]:
        """A hundred examples each, where the game is."""
        labels = self.x.labels if self.x.labels is not None else torch.zeros(len(self.x.x), dtype=torch.long)
        pairs = zip(self.x.x.split(100), labels.split(100), strict=True)
        return [Batch(x.to(game.device), y.to(game.device)) for x, y in pairs]

    def recall(self, game: Game) -> None:
        """Takes the game back to where it was best.

        Raises:
            UserError: where the objective was never finite.
        """
        if not self.best < math.inf:
            raise UserError("the objective on validation examples was never finite; lower the learning rate")
        game.load_state_dict(self.state)


def trained(trial: Trial, recipe: Recipe, data: Dataset | None = None) -> tuple[Game, int]:
    """A game as it was at its best look, and the round of it."""
    data = trial.data if data is None else data
    watch = Watch(data, recipe.rounds)
    game = trial.play(recipe, data, watch=watch)
    watch.recall(game)
    return game, watch.at


def cost(game: Game, data: Dataset, n: int = TESTED) -> Estimate:
    """Mean negative log-likelihood of test examples, in the unit of the data."""
    x = data.examples(min(n, data.size("test")), "test").x.to(game.device)
    with game.at_rest():
        samples = codes_within(game, x, SAMPLES) if game.can("infer") and game.can("likelihood") else 1
    return negative_log_likelihood(game, x, data=of_spec(data.spec), samples=samples)


def compared(trial: Trial, ours: Recipe, other: Recipe) -> Measured:
    """What test examples cost under two recipes, with the round that each was taken from."""
    found = [trained(trial, recipe) for recipe in (ours, other)]
    costs = [cost(game, trial.data) for game, _ in found]
    facts: dict[str, float | int | str] = {
        "best round": found[0][1], "the other's": found[1][1], "unit": costs[0].unit,
        "kind": str(costs[0].protocol["kind"]),
    }  # fmt: skip
    return Measured(costs[0].value, costs[1].value, facts)


def against(
    trial: Trial, name: str, other: str, rounds: int, ours: dict | None = None, its: dict | None = None
) -> Measured:
    """`compared` of two recipes at their presets `small`, with the same rounds.

    Args:
        trial: of the check.
        name: of the recipe that the claim is of.
        other: of the recipe that it is compared to.
        rounds: of both.
        ours: hyperparameters in place of the preset's.
        its: the other's.
    """
    return compared(trial, make(name, "small", rounds=rounds, **(ours or {})),
                    make(other, "small", rounds=rounds, **(its or {})))  # fmt: skip


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


def sight(game: Game, x: Tensor) -> Tensor:
    """Whether number j of an example moves the law of number i: bool (d, d), row i, column j.

    Of black and white images: each number of every example is turned round, and the laws of all are compared.

    Args:
        game: with a `law` whose numbers are in the order of pixels, rows first.
        x: images (n, 1, h, w), -1 and 1.
    """
    before = game.ask("law", x)
    moved = []
    for j in range(x[0].numel()):
        turned = x.flatten(1).clone()
        turned[:, j] = -turned[:, j]
        moved.append((game.ask("law", turned.view_as(x)) != before).flatten(2).any(2).any(0))
    return torch.stack(moved, 1)


def twelve(trial: Trial) -> Dataset:
    """Twelve pixels of the middle of a trial's black and white images, as bits."""
    x = trial.data.examples(trial.data.size()).x.flatten(1)
    middle = x.shape[1] // 2
    return load((x[:, middle - 6 : middle + 6] > 0).numpy().astype("uint8"))
