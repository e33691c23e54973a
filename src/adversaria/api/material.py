"""Where the latent tools get their examples and codes from: data, classes, the numbered sheet, files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from adversaria import latent
from adversaria.api.run import Run
from adversaria.data import Dataset
from adversaria.data.splits import generator
from adversaria.errors import UserError, at_least, unknown
from adversaria.game import Game
from adversaria.metrics import Estimate
from adversaria.runs.samples import read_samples

Between = Literal["prior", "encoded", "inverted"]

SHEET = 64
"""Samples on the numbered sheet."""


def ready(run: Run, label: int | None) -> tuple[Game, latent.Prior]:
    """The game, once it is known to have codes to work on, and their prior.

    Raises:
        UserError: where it has none, or the label is none of the data's.
    """
    run.use_its_threads()
    latent.decoder(run.game, label)
    if label is not None and not 0 <= label < run.data.spec.classes:
        raise UserError(f"label {label} of {run.data.spec.classes} classes; give one from 0")
    return run.game, latent.Prior.of(run.game)


def most(data: Dataset) -> int:
    """How many held-out examples there are; training ones where none were held out."""
    return data.size("test") or data.size("train")


def held_out(data: Dataset, n: int, seed: int) -> Tensor:
    """`n` held-out examples at random, in game form on the CPU."""
    return data.examples(n, "test" if data.size("test") else "train", seed=seed).x


def wanted(run: Run, of: str, n: int, label: int | None, seed: int) -> tuple[Tensor, str]:
    """`n` examples of a split, of the model, or of a file, and what they are.

    Raises:
        UserError: where there are too few, or there is no such thing.
    """
    if of == "samples":
        game, _ = ready(run, label)
        return latent.decoded(game, game.latent(n, seed=seed), label), "samples of the model"
    if of in run.data.splits:
        return run.data.examples(n, of, seed=seed).x, f"{of} examples"
    if not Path(of).exists():
        raise UserError(f"'{of}' is no split and no file; give test, valid, train, samples, or a file of examples")
    return read_samples(Path(of), run.data.spec, n), f"examples of {of}"


def codes_of(run: Run, x: Tensor, between: Between, label: int | None, seed: int) -> tuple[Tensor, str]:
    """Codes of examples, encoded or found by descent, and what they are.

    Raises:
        UserError: where the model doesn't encode.
    """
    if between == "inverted":
        return latent.invert(run.game, x, label=label, seed=seed).codes, "codes found for held-out examples"
    if not run.game.can("encode"):
        raise UserError("this model doesn't encode; take codes found by descent: --between inverted")
    return run.game.encode(x.to(run.game.device), seed=seed), "codes of held-out examples"


def of_class(run: Run, name: str, examples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Training examples of a class and their codes.

    Raises:
        UserError: where the model doesn't encode, or there is no such class.
    """
    data = run.data
    at_least("number of examples", examples, 1)
    if not run.game.can("encode"):
        raise UserError(
            f"class {name} asked of a model that doesn't encode; name samples by number instead: --a 1,5,9 --b 2,4,6 "
            f"--c 3,7,8, as on the sheet of 'adversaria latent {run.path} arithmetic'"
        )
    if data.labels is None:
        raise UserError(f"class {name} asked of {data.name}, which has no labels; name samples by number: --a 1,5,9")
    names = data.spec.class_names or tuple(str(k) for k in range(data.spec.classes))
    if name not in names:
        raise unknown("class", name, names)
    members = data.members("train")[0]
    members = members[data.labels[members] == names.index(name)]
    if not len(members):
        raise UserError(f"class {name} has no training examples in {data.name}; choose another")
    x = gathered(data, generator(seed).permutation(members)[:examples])
    return x, run.game.encode(x.to(run.game.device), seed=seed)


def of_sheet(run: Run, numbers: Sequence[int], label: int | None, seed: int) -> tuple[Tensor, Tensor]:
    """Samples of the numbered sheet and their codes.

    Raises:
        UserError: for a number that isn't on it.
    """
    wrong = [number for number in numbers if not 0 <= number < SHEET]
    if wrong or not numbers:
        raise UserError(f"samples {', '.join(map(str, wrong)) or 'none'}; give numbers from 0 to {SHEET - 1}, as 1,5,9")
    codes = run.game.latent(SHEET, seed=seed)
    return latent.decoded(run.game, codes, label)[list(numbers)], codes[list(numbers)]


def gathered(data: Dataset, places: np.ndarray) -> Tensor:
    """Examples at these places of the store, in game form."""
    rows = data.store.gather(places)
    return data.spec.to_game(rows) if data.spec.kind == "image" else rows


def beside(data: Dataset, x: Tensor, y: Tensor, name: str) -> tuple[list[Tensor], list[str]]:
    """Pairs as rows: images above one another, everything else a row for each pair."""
    y = y.to(x)
    if data.spec.kind == "image":
        return [x, y], ["given", name]
    return list(torch.stack([x, y], 1)), [f"given (open) and {name}", *[""] * (len(x) - 1)]


def interval(e: Estimate) -> str:
    """A share with its 95% interval."""
    low, high = e.interval
    return f"{e.value:.2f} [{low:.2f}, {high:.2f}]"
