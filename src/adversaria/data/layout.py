"""What the folders in the names of image files mean: splits, classes, or nothing."""

from dataclasses import dataclass

import numpy as np

from adversaria.data.splits import NAMES


@dataclass(frozen=True)
class Layout:
    """Labels (n,) with the classes' names, and published splits, as folders tell; None where they don't."""

    labels: np.ndarray | None
    class_names: tuple[str, ...]
    splits: dict[str, np.ndarray] | None
    notes: tuple[str, ...] = ()


def layout(names: list[str]) -> Layout:
    """Reads files named [SPLIT/][CLASS/]file, below any number of folders that all of them share.

    Splits count when `train` and one more are there and hold every file. Classes count when every file is in
    a folder and there are at least two; they are sorted by name, or by number where all names are numbers.
    """
    paths = [name.split("/") for name in names]
    paths = _without_shared(paths)
    splits = _splits(paths)
    if splits is not None:
        paths = [path[1:] for path in paths]
    inside = [len(path) > 1 for path in paths]
    classes = {path[0] for path, deep in zip(paths, inside, strict=True) if deep}
    if len(classes) < 2 or not all(inside):
        mixed = bool(classes) and not all(inside)
        note = ("files lie beside folders as well as in them, so folders are not taken for classes",)
        return Layout(None, (), splits, note if mixed else ())
    ordered = sorted(classes, key=int) if all(c.isdecimal() for c in classes) else sorted(classes)
    codes = {name: code for code, name in enumerate(ordered)}
    labels = np.array([codes[path[0]] for path in paths], np.int64)
    plain = ordered == [str(k) for k in range(len(ordered))]
    return Layout(labels, () if plain else tuple(ordered), splits)


def _without_shared(paths: list[list[str]]) -> list[list[str]]:
    depth = 0
    while all(len(path) > depth + 1 for path in paths) and len({path[depth] for path in paths}) == 1:
        depth += 1
    return [path[depth:] for path in paths]


def _splits(paths: list[list[str]]) -> dict[str, np.ndarray] | None:
    tops = {path[0].lower() for path in paths if len(path) > 1}
    kinds = {NAMES.get(top) for top in tops}
    if None in kinds or "train" not in kinds or len(kinds) < 2 or any(len(path) == 1 for path in paths):
        return None
    of = np.array([NAMES[path[0].lower()] for path in paths])
    return {str(kind): np.flatnonzero(of == kind) for kind in kinds}
