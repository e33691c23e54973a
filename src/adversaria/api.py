"""The Python surface: recipe, train, load_run, and the Run they return."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor

from adversaria import catalogue
from adversaria._version import __version__
from adversaria.data import Dataset, load
from adversaria.errors import UserError, at_least
from adversaria.game import Game, Recipe, plan
from adversaria.game.state import restore_game
from adversaria.runs import checkpoints, exhibits
from adversaria.runs.environment import account, environment
from adversaria.runs.folder import FORMAT, RunConfig, RunFolder
from adversaria.runs.sampling import given_for
from adversaria.runs.training import Step, Training, storing


def recipe(name: str, preset: str | None = None, **overrides: Any) -> Recipe:
    """A recipe by its name or file, with a preset's values and then `overrides` in place of its defaults.

    >>> recipe("wgan-gp", critic_steps=3, adam={"lr": 1e-4}).adam.lr
    0.0001

    Raises:
        UserError: for an unknown recipe, preset or hyperparameter, or a value out of range.
    """
    return catalogue.make(name, preset, **overrides)


def train(
    recipe: Recipe | str, data: Any, *, rounds: int | None = None, out: str | Path | None = None, seed: int = 0,
    device: str = "cpu", minutes: float | None = None, data_options: Mapping[str, Any] | None = None,
    watch: Callable[[Step], None] | None = None, **loop: Any,
) -> Run:  # fmt: skip
    """Trains a recipe on data and returns the run.

    Args:
        recipe: a recipe, or the name of one.
        data: whatever `data.load` takes: a name, a path, an array.
        rounds: in place of the recipe's.
        out: the run folder; a fresh one under runs/ without.
        seed: of everything random.
        device: "cpu" or "cuda".
        minutes: stop, to be resumed, after this long.
        data_options: further arguments of `data.load`, such as size.
        watch: called with every step.
        loop: `every`, rounds between checkpoints; `tensorboard`.

    Raises:
        UserError: where something asked for can't be had.
    """
    made = catalogue.make(recipe) if isinstance(recipe, str) else recipe
    if rounds is not None:
        made = catalogue.checked(lambda: replace(made, rounds=rounds))
    run = begin(made, load(data, **(data_options or {})), out=out, seed=seed, device=device)
    run.play(minutes=minutes, watch=watch, **loop)
    return run


def begin(
    recipe: Recipe, data: Dataset, *, out: str | Path | None = None, seed: int = 0, device: str = "cpu",
    threads: int | None = None, command: str | None = None,
) -> Run:  # fmt: skip
    """A run folder with its configuration, before the first round.

    Raises:
        UserError: where the recipe doesn't take the data, or the folder holds a run already.
    """
    entry = _entry_of(recipe)
    data = recipe.arrange(data)
    game = recipe.build(data.spec)
    data.batches(recipe.batch, seed=seed)  # a batch larger than the data fails here
    at_least("seed", seed, 0)
    at_least("threads", threads or 1, 1)
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise UserError(f"device is '{device}'; cpu or cuda")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device '{device}' asked for and there is none; use --device cpu")
    name = entry.name if entry.built_in else str(entry.path)
    path = Path(out) if out is not None else _fresh(Path("runs"), f"{entry.name}-{data.name}")
    if (path / "config.json").exists():
        raise UserError(f"{path} holds a run already; 'adversaria resume {path}', or choose another --out")
    rounds = plan(game.stages, recipe.rounds)
    config = RunConfig(
        format=FORMAT, adversaria=__version__, recipe=name, recipe_sha256=_sha(entry.path), fields=recipe.fields(),
        data={**data.options}, fingerprint=data.fingerprint, seed=seed, threads=threads or torch.get_num_threads(),
        device=device, stages=tuple(zip((stage.name for stage in game.stages), rounds, strict=True)),
        command=command or f"# from Python: adversaria.train({recipe!r}, data={data.name!r}, seed={seed})",
    )  # fmt: skip
    folder = RunFolder(path)
    with storing(path):
        path.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.path, path / "recipe.py")
        folder.write("environment.json", _json(environment()))
        folder.write("data.json", _json(account(data)))
        folder.write_config(config)
    return Run(folder, recipe, data)


def load_run(path: str | Path, recipe_file: str | Path | None = None) -> Run:
    """A run by its folder.

    Args:
        path: the run folder.
        recipe_file: for a run of a user's own recipe whose file has moved or changed since.

    Raises:
        UserError: where there is no run, or its recipe can't be had.
    """
    folder = RunFolder.open(path)
    config = folder.config
    name = config.recipe if recipe_file is None else str(recipe_file)
    own = name.endswith(".py")
    if own and recipe_file is None and (not Path(name).is_file() or _sha(Path(name)) != config.recipe_sha256):
        raise UserError(
            f"the recipe of {path}, {name}, has moved or changed since; the run kept a copy of its code: "
            f"read it, then pass --recipe {folder.path / 'recipe.py'} to run it"
        )
    made = catalogue.checked(lambda: TypeAdapter(catalogue.load(catalogue.find(name))).validate_python(config.fields))
    return Run(folder, made)


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

    def sample(self, n: int, *, label: int | None = None, seed: int = 0) -> np.ndarray:
        """`n` samples in user form: (n, H, W, C) uint8 images, (n, d) float32 points, (n, T) int64 tokens.

        Raises:
            UserError: where a label is asked of a model that takes none.
        """
        return self.draw(n, label=label, seed=seed)[0]

    def draw(self, n: int, *, label: int | None = None, seed: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """Samples as `sample` gives them, and the labels they were made from where there are any."""
        at_least("number of samples", n, 1)
        at_least("seed", seed, 0)
        torch.set_num_threads(self.folder.config.threads)
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


def _entry_of(recipe: Recipe) -> catalogue.Entry:
    module = sys.modules[type(recipe).__module__]
    path = Path(module.__file__ or "")
    if type(recipe).__module__ == "__main__" or not path.is_file():
        raise UserError(
            f"{type(recipe).__name__} was written in a session; put it in a file of its own: recipe('./my.py')"
        )
    return catalogue.read(path.resolve())


def _fresh(place: Path, name: str) -> Path:
    path, i = place / name, 2
    while path.exists():
        path, i = place / f"{name}-{i}", i + 1
    return path


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _json(values: Any) -> bytes:
    return json.dumps(values, indent=1).encode()
