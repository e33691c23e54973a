"""The one door to data: a name, a path or an array goes in, a `Dataset` comes out."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from adversaria.data import bits
from adversaria.data.dataset import Dataset
from adversaria.data.found import Found, encode
from adversaria.data.images import Crop, Size
from adversaria.data.pack import collect
from adversaria.data.pictures import Wanted
from adversaria.data.sources import MADE, VIEWS, find
from adversaria.data.spec import DataSpec
from adversaria.data.splits import complete
from adversaria.data.stacked import Stacks, stack
from adversaria.data.storage import Memory
from adversaria.errors import UserError, unknown

_SIDE = 4096
_MEMORY = 2 * 1024**3
_TOLERANCE = 0.01


def names() -> list[str]:
    """The names that `load` knows."""
    return list(MADE)


def load(
    source: Any,
    *,
    size: int | tuple[int, int] | None = None,
    crop: Crop = "centre",
    channels: int | None = None,
    domains: tuple[str | int, str | int] | None = None,
    stacked: bool = False,
    binarise: bits.Mode | None = None,
    labelled: tuple[int, int] | None = None,
    memory: int = _MEMORY,
    tolerance: float = _TOLERANCE,
    cache: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Loads data and says, in `notes` and `skipped`, all that was done to them.

    `source` is a name (see `names`); the path of a folder or zip of images (sub-folders are classes, or the
    splits train, valid and test), of IDX or binary CIFAR files, of .npy, .npz, .csv, .tsv or .parquet; an
    array or tensor; a pair (array, labels); or a `Dataset`, which is returned as it is.

    For images, `size` (a side, or height and width, in pixels) and `crop` ("centre" keeps proportions, "none"
    doesn't) say how they are resized; `channels` 1 or 3 makes them grey or coloured. Images of more than
    `memory` bytes are packed once into a file in `cache` (else $ADVERSARIA_CACHE, else ~/.cache/adversaria)
    and read from there. Broken files are skipped, up to the larger of 1 and `tolerance` of all; none at 0.
    `binarise`, "static" or "dynamic", makes black and white images of grey ones, as `bits` tells.
    `stacked` makes stacks of labelled grey images, three as the colours of one, with K^3 classes, as
    `stacked.stack` does; `stacked-digits` are such. `domains` makes two-domain data of two classes, as
    `Dataset.domains_of` does; `labelled`, a number and a seed, hides all other labels of the training split, as
    `Dataset.with_labels` does.

    Raises UserError where the source can't be used as asked.
    """
    if isinstance(source, Dataset):
        return _arranged(source, binarise, stacked, domains, labelled)
    if isinstance(source, str) and source in VIEWS:
        base, view = VIEWS[source]
        made = load(base, size=size, crop=crop, channels=channels, memory=memory, tolerance=tolerance, cache=cache,
                    **view)  # fmt: skip
        # Its name alone loads it again, and no option says so twice.
        kept = {key: value for key, value in made.options.items() if key not in view}
        made = replace(made, name=source, options={**kept, "source": source})
        return _arranged(made, binarise, stacked and "stacked" not in view, domains, labelled)
    if not 0 <= tolerance <= 1 or memory < 0:
        raise UserError(f"tolerance={tolerance:g}, memory={memory}; expected a share from 0 to 1, and 0 bytes or more")
    wanted = Wanted(_size(size), _crop(crop), _channels(channels))
    found, name, place = find(source, wanted, memory)
    if found.kind != "image" and wanted != Wanted():
        raise UserError(f"size, crop and channels are for images, and {name} holds {found.kind} data; leave them out")
    options: dict[str, Any] = {"source": place} | {
        option: value
        for option, value, default in (
            ("size", wanted.size and list(wanted.size), None),
            ("crop", crop, "centre"),
            ("channels", channels, None),
            ("memory", memory, _MEMORY),
            ("tolerance", tolerance, _TOLERANCE),
            ("cache", cache and os.fspath(cache), None),
        )
        if value != default
    }
    if isinstance(found.values, np.ndarray):
        dataset = _of_rows(found, name)
    else:
        dataset = _of_pictures(found, name, memory, cache, tolerance)
    return _arranged(replace(dataset, options=options), binarise, stacked, domains, labelled)


def _arranged(dataset: Dataset, mode: bits.Mode | None, stacked: bool, domains: Any, labelled: Any) -> Dataset:
    """The data as they are asked for: in black and white, stacked unless they are, in two domains, with few labels."""
    if mode is not None:
        dataset = bits.binarise(dataset, mode)
    if stacked and not isinstance(dataset.store, Stacks):
        dataset = stack(dataset)
    if labelled is not None:
        dataset = dataset.with_labels(*_number_and_seed(labelled))
    return dataset if domains is None else dataset.domains_of(*_pair(domains))


def _size(size: Any) -> Size | None:
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2 or not all(isinstance(side, int) and 1 <= side <= _SIDE for side in pair):
        raise UserError(f"size={size!r}; expected a side, or (height, width), in pixels from 1 to {_SIDE}")
    return pair[0], pair[1]


def _crop(crop: Crop) -> Crop:
    if crop not in ("centre", "none"):
        raise unknown("crop", str(crop), ("centre", "none"))
    return crop


def _channels(channels: int | None) -> int | None:
    if channels not in (None, 1, 3):
        raise UserError(f"channels={channels}; expected 1 (grey) or 3 (colour), or leave it out")
    return channels


def _pair(domains: Any) -> tuple[str | int, str | int]:
    if isinstance(domains, str) or len(domains) != 2:
        raise UserError(f"domains={domains!r}; expected two classes, such as (3, 8)")
    return domains[0], domains[1]


def _number_and_seed(labelled: Any) -> tuple[int, int]:
    pair = tuple(labelled) if isinstance(labelled, tuple | list) else (labelled, 0)
    if len(pair) != 2 or not all(isinstance(part, int) for part in pair):
        raise UserError(f"labelled={labelled!r}; expected how many examples show their labels and a seed: (100, 0)")
    return pair[0], pair[1]


def _of_pictures(
    found: Found, name: str, memory: int, cache: str | os.PathLike[str] | None, tolerance: float
) -> Dataset:
    assert not isinstance(found.values, np.ndarray)
    count = found.values.count
    labels, class_names = _labelled(found, count)
    collected = collect(found.values, memory, cache, tolerance)
    kept = collected.kept
    splits, said = complete(len(kept), _renumbered(found.splits, kept, count), "images")
    height, width, channels = collected.shape
    spec = DataSpec("image", (channels, height, width), classes=_classes(labels, class_names), class_names=class_names)
    return Dataset(
        name=name,
        spec=spec,
        store=collected.store,
        splits=splits,
        labels=None if labels is None else labels[kept],
        notes=(*found.notes, *collected.notes, said),
        skipped=collected.skipped,
    )


def _of_rows(found: Found, name: str) -> Dataset:
    values = found.values
    assert isinstance(values, np.ndarray)
    labels, class_names = _labelled(found, len(values))
    splits, said = complete(len(values), found.splits)
    notes = [*found.notes, said]
    offset: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    if found.standardise:
        offset, scale = _moments(values[splits["train"]])
        values = ((values - np.array(offset)) / np.array(scale)).astype(np.float32)
        notes.append("columns are standardised by mean and standard deviation of the train split")
    spec = DataSpec(
        found.kind,
        values.shape[1:],
        classes=_classes(labels, class_names),
        class_names=class_names,
        categories=found.categories,
        columns=found.columns,
        offset=offset,
        scale=scale,
    )
    return Dataset(name, spec, Memory(values), splits, labels, notes=tuple(notes))


def _labelled(found: Found, count: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels as int64 below the number of classes, and the classes' names."""
    if found.labels is None or found.class_names:
        return found.labels, found.class_names
    return encode(found.labels, count)


def _classes(labels: np.ndarray | None, class_names: tuple[str, ...]) -> int:
    if labels is None:
        return 0
    return len(class_names) or int(labels.max(initial=-1)) + 1


def _renumbered(splits: Mapping[str, np.ndarray] | None, kept: np.ndarray, count: int) -> dict[str, np.ndarray] | None:
    """The splits in terms of the examples that were kept."""
    if splits is None:
        return None
    place = np.full(count, -1)
    place[kept] = np.arange(len(kept))
    return {name: place[index][place[index] >= 0] for name, index in splits.items()}


def _moments(train: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each column; 1 for the deviation of one that does not vary."""
    mean, sd = train.mean(axis=0), train.std(axis=0)
    constant = sd <= 1e-12 * np.abs(train).max(axis=0)
    return tuple(mean.tolist()), tuple(np.where(constant, 1.0, sd).tolist())
