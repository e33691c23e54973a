"""What a model is given when it samples, by what it is conditional on."""

import torch
from torch import Tensor

from adversaria.data import Dataset
from adversaria.errors import UserError
from adversaria.game import Game


def given_for(game: Game, data: Dataset, n: int, label: int | str | None = None) -> Tensor | None:
    """Labels or images for `n` samples: the label asked for or all in turn, or held-out images.

    Raises:
        UserError: where a label is asked of a model that takes none, or there is no such label.
    """
    if label is not None or game.condition == "label":
        return labels_for(game, data, torch.arange(n) % max(data.spec.classes, 1), label)
    if game.condition == "image":
        split = max(("test", "valid", "train"), key=data.size) if data.size("test") < n else "test"
        x = data.examples(min(n, data.size(split)), split, seed=0).x
        return x[torch.arange(n) % len(x)]
    return None


def labels_for(game: Game, data: Dataset, own: Tensor, label: int | str | None = None) -> Tensor | None:
    """What a model that takes labels is given: the label asked for, or `own` labels (n,); None for any other model.

    Raises:
        UserError: where a label is asked of a model that takes none, or there is no such label.
    """
    if game.condition != "label":
        if label is not None:
            raise UserError(f"label {label} asked of a model that takes none; leave --label out, or train one that "
                            "does, such as cgan or gated-pixelcnn --conditional")  # fmt: skip
        return None
    return own if label is None else torch.full_like(own, _number(data, label))


def _number(data: Dataset, label: int | str) -> int:
    """A label by its name, or by its number."""
    names, classes = data.spec.class_names, data.spec.classes
    if label in names:
        return names.index(str(label))
    try:
        if 0 <= int(label) < classes:
            return int(label)
    except ValueError:
        pass
    shown = f", or a name such as '{names[0]}'" if names else ""
    raise UserError(f"label {label} of {classes} classes; give one from 0 to {classes - 1}{shown}")


def columns_for(game: Game, data: Dataset) -> int | None:
    """Images in a row of a sheet of labels in turn: a column for each label where there are few; None elsewhere."""
    classes = data.spec.classes
    return classes if data.spec.kind == "image" and game.condition == "label" and classes <= 20 else None


def sheet_size(game: Game, data: Dataset) -> tuple[int, int | None]:
    """How many samples a sheet shows, and how many in a row: see `columns_for`."""
    if data.spec.kind == "image":
        columns = columns_for(game, data) or 8
        return 8 * columns, columns
    return (32, None) if data.spec.kind in ("sequence", "binary") else (2000, None)
