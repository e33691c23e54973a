"""Reader of the binary version of CIFAR-10 and CIFAR-100."""

from pathlib import Path

import numpy as np

from adversaria.data.arrays import interpret
from adversaria.data.found import Found, joined_splits
from adversaria.data.pictures import Wanted
from adversaria.errors import UserError

_PIXELS = 3 * 32 * 32


def is_cifar(folder: Path) -> bool:
    """Whether a folder holds the binary version, or the pickled one, which `read` refuses."""
    return bool(_binary(folder)["train"] or _pickled(folder))


def _binary(folder: Path) -> dict[str, list[Path]]:
    ten = {"train": sorted(folder.glob("data_batch_*.bin")), "test": sorted(folder.glob("test_batch.bin"))}
    hundred = {"train": sorted(folder.glob("train.bin")), "test": sorted(folder.glob("test.bin"))}
    return ten if ten["train"] else hundred


def _pickled(folder: Path) -> bool:
    return (folder / "data_batch_1").is_file() or ((folder / "meta").is_file() and (folder / "train").is_file())


def read(folder: Path, wanted: Wanted) -> Found:
    """The images of data_batch_*.bin and test_batch.bin, or train.bin and test.bin (100 fine labels).

    Raises UserError for the pickled "python version", and for files of a wrong length.
    """
    files = _binary(folder)
    if not files["train"]:
        raise UserError(
            f"{folder} is the 'python version' of CIFAR, pickles that could run any code; "
            "download the 'binary version' from the same page"
        )
    heads = 1 if files["train"][0].name.startswith("data_batch") else 2
    parts = {name: [_records(path, heads) for path in paths] for name, paths in files.items() if paths}
    records = np.concatenate([batch for batches in parts.values() for batch in batches])
    found = interpret(records[:, heads:].reshape(-1, 3, 32, 32), wanted)
    found.notes = []
    found.splits = joined_splits({name: sum(map(len, batches)) for name, batches in parts.items()})
    found.labels = records[:, heads - 1].astype(np.int64)
    names = folder / ("batches.meta.txt" if heads == 1 else "fine_label_names.txt")
    if names.is_file():
        lines = names.read_text(encoding="utf-8", errors="replace").split()
        if len(lines) > int(found.labels.max()):
            found.class_names = tuple(lines)
    return found


def _records(path: Path, heads: int) -> np.ndarray:
    size, length = path.stat().st_size, heads + _PIXELS
    if size == 0 or size % length:
        raise UserError(f"{path} has {size:,} bytes, no multiple of {length}; download it again")
    return np.fromfile(path, np.uint8).reshape(-1, length)
