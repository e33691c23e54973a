"""A run: a folder with its recipe, its data and its trained game."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from adversaria.data import Dataset, load
from adversaria.errors import UserError, at_least
from adversaria.game import Game, Recipe
from adversaria.game.state import restore_game
from adversaria.runs import checkpoints, exhibits
from adversaria.runs.folder import RunFolder
from adversaria.runs.sampling import given_for
from adversaria.runs.training import Step, Training, storing

if TYPE_CHECKING:
    from adversaria.api.drawings import Shown
    from adversaria.diagnose.verdict import Verdict


class Run:
    """A run folder with its recipe; the data and the trained game are loaded when they are first needed."""

    def __init__(self, folder: RunFolder, recipe: Recipe, data: Dataset | None = None) -> None:
        self.folder, self.recipe = folder, recipe
        if data is not None:
            self.data = data

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.recipe!r})"

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @cached_property
    def data(self) -> Dataset:
        """The data the run was trained on, loaded again.

        Raises:
            UserError: where they are not what they were.
        """
        config = self.folder.config
        if config.data.get("source") is None:
            raise UserError(f"the data of {self.path} were an array in memory; give them again: run.data = load(array)")
        data = self.recipe.arrange(load(**config.data))
        if data.fingerprint != config.fingerprint:
            raise UserError(
                f"the data at {config.data['source']} have changed since {self.path} began (fingerprint "
                f"{data.fingerprint[:12]}, was {config.fingerprint[:12]}); restore them, or train anew"
            )
        return data

    @cached_property
    def game(self) -> Game:
        """The game with the weights of the newest checkpoint.

        Raises:
            UserError: where there is none that is whole.
        """
        found = checkpoints.newest(self.folder)
        if found is None:
            raise UserError(f"{self.path} has no checkpoint yet; 'adversaria resume {self.path}' goes on with it")
        game = self.recipe.build(self.data.spec).to(self.folder.config.device)
        restore_game(game, found.tensors)
        self.round = found.round
        return game

    def play(self, *, minutes: float | None = None, rounds: int | None = None,
             watch: Callable[[Step], None] | None = None, **loop: Any) -> Run:  # fmt: skip
        """Trains from the newest checkpoint to the last round; see `steps`."""
        for step in self.steps(minutes=minutes, rounds=rounds, **loop):
            if watch:
                watch(step)
        return self

    def steps(self, *, minutes: float | None = None, rounds: int | None = None,
              stop: Callable[[], bool] = lambda: False, **loop: Any) -> Iterator[Step]:  # fmt: skip
        """The same as an iterator: the caller keeps the loop.

        Args:
            minutes: save and stop after this long.
            rounds: extend the run's last stage so that the run has this many rounds.
            stop: asked after every round whether to save and stop.
            loop: `every`, rounds between checkpoints; `tensorboard`.

        Raises:
            UserError: where play breaks down for good, or the folder is in use.
        """
        at_least("minutes", minutes or 0, 0)
        if rounds is not None:
            self._extend(rounds)
        self.__dict__.pop("game", None)
        end = None if minutes is None else monotonic() + 60 * minutes
        training = Training(self.folder, self.recipe, self.data, **loop)
        yield from training.steps(lambda: stop() or (end is not None and monotonic() > end))

    def _extend(self, rounds: int) -> None:
        config = self.folder.config
        *before, (last, had) = config.stages
        if rounds < config.rounds:
            raise UserError(f"{self.path} has {config.rounds} rounds, {rounds} asked for; give {config.rounds} or more")
        stages = (*before, (last, had + rounds - config.rounds))
        self.recipe = replace(self.recipe, rounds=rounds)
        with self.folder.locked(), storing(self.path):
            self.folder.write_config(replace(config, stages=stages, fields=self.recipe.fields()))

    @property
    def finished(self) -> bool:
        """Whether the newest checkpoint is of the last round."""
        names = checkpoints.names(self.folder)
        return bool(names) and int(names[-1]) >= self.folder.config.rounds

    def sample(self, n: int, *, label: int | str | None = None, seed: int = 0) -> np.ndarray:
        """`n` samples in user form: (n, H, W, C) uint8 images, (n, d) float32 points, (n, T) int64 tokens.

        Args:
            n: how many.
            label: for a model that takes labels, by number or name; all in turn without.
            seed: of the draws.

        Raises:
            UserError: where a label is asked of a model that takes none, or there is no such label.
        """
        return self.draw(n, label=label, seed=seed)[0]

    def draw(self, n: int, *, label: int | str | None = None, seed: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """Samples as `sample` gives them, and the labels they were made from where there are any."""
        at_least("number of samples", n, 1)
        at_least("seed", seed, 0)
        self.use_its_threads()
        given = given_for(self.game, self.data, n, label)
        samples = self._in_pieces(n, given, seed)
        labels = given.cpu().numpy() if given is not None and self.game.condition == "label" else None
        return self.data.spec.to_user(samples), labels

    def _in_pieces(self, n: int, given: Tensor | None, seed: int, most: int = 1000) -> Tensor:
        pieces = [
            self.game.sample(min(most, n - i), None if given is None else given[i : i + most], seed=seed + i).cpu()
            for i in range(0, n, most)
        ]
        return torch.cat(pieces)

    def history(self, kind: str = "round") -> list[dict[str, Any]]:
        """The log's records of a kind: "round", "score" or "event"."""
        return self.folder.records(kind)

    def evaluate(self, n: int | None = None, *, metrics: Iterable[str] | None = None, features: str | None = None,
                 against: str = "test", seed: int = 0, anneal: int = 0, sigma: float | None = None,
                 temperatures: int = 500) -> dict[str, Any]:  # fmt: skip
        """Measures the model; `Estimate.from_dict` reads its estimates. evaluation.json keeps them, beside
        those measured before under the same protocol.

        Args:
            n: samples; as many as there are reference examples, 5,000 at most, without.
            metrics: names, such as "frechet", "coverage"; all that apply without.
            features: "pixels", "pca", "trained" or a Python file; trained ones for images without.
            against: the split that is the reference: "test", "valid" or "train".
            seed: of samples, subsets and permutations.
            anneal: held-out examples whose likelihood is measured by annealed importance sampling; 0 for none.
            sigma: standard deviation of a normal observation about the decoder, for models without a likelihood;
                tuned on validation examples without.
            temperatures: of annealing.

        Raises:
            UserError: where something asked for can't be had, or the samples aren't finite.
        """
        from adversaria.api import assess

        return assess.evaluate(self, n, metrics, features, against, seed, anneal, sigma, temperatures)

    def diagnose(self, n: int | None = None, *, features: str | None = None, seed: int = 0) -> list[Verdict]:
        """Verdicts in words, faults first; evaluates with everything on the way. A model that diverged fails.

        Raises:
            UserError: where something asked for can't be had.
        """
        from adversaria.api import assess

        return assess.diagnose(self, n, features, seed)

    def confirm(self, duplicates: int) -> dict[str, Any]:
        """Notes how many pairs in the gallery of birthday pairs a person took for the same picture; the evaluation."""
        from adversaria.api import assess

        return assess.confirm(self, duplicates)

    def dynamics(self, *, seed: int = 0) -> dict[str, str]:
        """Sentences on the game at the newest checkpoint: leading eigenvalues of its vector field's Jacobian, rotation,
        the path between the last two checkpoints, the duality gap. Minutes for networks of a million parameters."""
        from adversaria.api import assess

        return assess.dynamics(self, seed)

    def interpolate(self, pairs: int = 6, steps: int = 9, **options: Any) -> Shown:
        """Paths between pairs of codes, with picture, examples and codes; options as `api.latent.interpolate`."""
        from adversaria.api import latent

        return latent.interpolate(self, pairs, steps, **options)

    def invert(self, n: int = 8, **options: Any) -> Shown:
        """Codes found for held-out or other examples, with picture and codes; options as `api.latent.invert`."""
        from adversaria.api import latent

        return latent.invert(self, n, **options)

    def use_its_threads(self) -> None:
        """Sets torch's threads to the run's, so that its numbers come out the same again."""
        torch.set_num_threads(self.folder.config.threads)

    def report(self) -> Path:
        """Writes report.html, making its pictures first where the newest checkpoint has none."""
        from adversaria.report import write

        if not checkpoints.names(self.folder):
            return write(self.folder)
        game, told = self.game, self.folder.read_json("exhibits/exhibits.json")
        with storing(self.path):
            if told is None or told["round"] != self.round:
                exhibits.make(self.folder, game, self.data, self.round, self.folder.config.seed)
            return write(self.folder)
