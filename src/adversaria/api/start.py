"""Beginning: a recipe by name, a run folder, training."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from adversaria import catalogue
from adversaria._version import __version__
from adversaria.api.run import Run
from adversaria.data import Dataset, load
from adversaria.errors import UserError, at_least
from adversaria.game import Recipe, plan
from adversaria.runs.environment import account, environment
from adversaria.runs.folder import FORMAT, RunConfig, RunFolder
from adversaria.runs.training import Step, storing


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
