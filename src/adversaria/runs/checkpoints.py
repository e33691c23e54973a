"""Checkpoints on disk: a folder each, written under a temporary name, synced, checksummed, renamed.

    checkpoints/00002000/  state.safetensors   every tensor
                           facts.json          every number and name
                           manifest.json       SHA-256 and size of both
    checkpoints/best.json  which one had the best score

A checkpoint that is visible is complete, and one that was damaged later is noticed by its checksum.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from adversaria.errors import UserError
from adversaria.runs.folder import FORMAT, RunFolder

KEEP = 2


@dataclass(frozen=True)
class Checkpoint:
    """A state at the end of a round."""

    round: int
    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]


class DamagedError(Exception):
    """A checkpoint's files are not what was written."""


def write(folder: RunFolder, checkpoint: Checkpoint, score: float | None) -> None:
    """Writes a checkpoint, then removes all but the last two and the best; a lower `score` is better."""
    place = folder.path / "checkpoints"
    place.mkdir(exist_ok=True)
    name = f"{checkpoint.round:08d}"
    temporary = place / f".{name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in checkpoint.tensors.items()}
    facts = {**checkpoint.facts, "round": checkpoint.round, "format": FORMAT}
    try:
        temporary.mkdir()
        contents = {"state.safetensors": save(tensors), "facts.json": json.dumps(facts, indent=1).encode()}
        manifest = {key: {"sha256": _sha(value), "bytes": len(value)} for key, value in contents.items()}
        contents["manifest.json"] = json.dumps(manifest, indent=1).encode()
        for key, value in contents.items():
            _write_synced(temporary / key, value)
        shutil.rmtree(place / name, ignore_errors=True)
        temporary.rename(place / name)
        _sync_folder(place)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _note_best(folder, name, score)
    _prune(folder)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def names(folder: RunFolder) -> list[str]:
    """The checkpoints there are, oldest first."""
    return sorted(path.name for path in folder.path.glob("checkpoints/[0-9]*") if path.is_dir())


def best(folder: RunFolder) -> str | None:
    """The checkpoint with the best score, where one was scored."""
    try:
        noted = folder.read_json("checkpoints/best.json")
    except json.JSONDecodeError:
        noted = None
    return noted["checkpoint"] if noted and noted["checkpoint"] in names(folder) else None


def _note_best(folder: RunFolder, name: str, score: float | None) -> None:
    if score is None:
        return
    current = folder.read_json("checkpoints/best.json") if best(folder) else None
    if current is None or score < current["score"] or current["checkpoint"] == name:
        note = json.dumps({"checkpoint": name, "score": score}).encode()
        folder.write("checkpoints/best.json", note)


def _prune(folder: RunFolder) -> None:
    kept = {*names(folder)[-KEEP:], best(folder)}
    for name in names(folder):
        if name not in kept:
            shutil.rmtree(folder.path / "checkpoints" / name)
    for leftover in folder.path.glob("checkpoints/.[0-9]*"):
        shutil.rmtree(leftover, ignore_errors=True)


def read(folder: RunFolder, name: str) -> Checkpoint:
    """A checkpoint by its name.

    Raises:
        DamagedError: where a file is missing or not what was written.
        UserError: where it was written by a newer version.
    """
    place = folder.path / "checkpoints" / name
    try:
        manifest = json.loads((place / "manifest.json").read_bytes())
        contents = {key: (place / key).read_bytes() for key in ("state.safetensors", "facts.json")}
        for key, content in contents.items():
            if manifest[key] != {"sha256": _sha(content), "bytes": len(content)}:
                raise DamagedError(f"{key} is not what was written")
        facts = json.loads(contents["facts.json"])
        tensors = load(contents["state.safetensors"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DamagedError(f"{type(error).__name__}: {error}") from None
    if facts["format"] > FORMAT:
        raise UserError(f"checkpoint {place} has format {facts['format']}, this adversaria reads {FORMAT}; upgrade it")
    return Checkpoint(facts["round"], tensors, facts)


def newest(folder: RunFolder) -> Checkpoint | None:
    """The newest checkpoint that is whole; damaged ones are told of in the log and passed over. None: there is none.

    Raises:
        UserError: where there are checkpoints and none is whole.
    """
    there = names(folder)
    for name in reversed(there):
        try:
            return read(folder, name)
        except DamagedError as error:
            folder.event(
                int(name),
                "damaged-checkpoint",
                f"checkpoint {name} is damaged ({error}); trying an older one",
            )
    if there:
        raise UserError(f"all checkpoints of {folder.path} are damaged ({', '.join(there)}); restore one or train anew")
    return None
