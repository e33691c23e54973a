"""What a model is given when it samples, by what it is conditional on."""

import torch
from torch import Tensor

from adversaria.data import Dataset
from adversaria.errors import UserError
from adversaria.game import Game


def given_for(game: Game, data: Dataset, n: int, label: int | None = None) -> Tensor | None:
    """Labels or images for `n` samples: the label asked for or all in turn, or held-out images.

    Raises:
        UserError: where a label is asked of a model that takes none, or there is no such label.
    """
    if label is not None and game.condition != "label":
        raise UserError(f"label {label} asked of a model that takes none; leave --label out, or train cgan")
    if game.condition == "label":
        classes = data.spec.classes
        if label is not None and not 0 <= label < classes:
            raise UserError(f"label {label} of {classes} classes; give one from 0 to {classes - 1}")
        return torch.arange(n) % classes if label is None else torch.full((n,), label)
    if game.condition == "image":
        split = max(("test", "valid", "train"), key=data.size) if data.size("test") < n else "test"
        x = data.examples(min(n, data.size(split)), split, seed=0).x
        return x[torch.arange(n) % len(x)]
    return None


def sheet_size(game: Game, data: Dataset) -> tuple[int, int | None]:
    """How many samples a sheet shows, and how many in a row: a column for each label where there are labels."""
    if data.spec.kind == "image":
        classes = data.spec.classes
        return (8 * classes, classes) if game.condition == "label" and classes <= 20 else (64, 8)
    return (32, None) if data.spec.kind in ("sequence", "binary") else (2000, None)
