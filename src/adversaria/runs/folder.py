"""The run folder: everything after training reads it. No torch here.

config.json       what was asked for: recipe, hyperparameters, data, seed, threads, stages
recipe.py         the recipe's file as it was
environment.json  what it ran on
metrics.jsonl     append-only: one JSON object a line, of kind "round", "score" or "event"
checkpoints/      a folder each: tensors, facts, checksums
samples/          sheets from the same noise, over time
exhibits/         pictures and numbers for the report
report.html
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from adversaria.catalogue import explain
from adversaria.errors import UserError

FORMAT = 1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RunConfig:
    """What a run was asked to do; config.json. Data, not a language: unknown keys are errors."""

    format: int
    adversaria: str
    """Version of the library that began the run."""
    recipe: str
    """Name of a recipe of the library, or path of a user's file."""
    recipe_sha256: str
    """Of the recipe's file."""
    fields: dict[str, Any]
    """The recipe's hyperparameters, all of them."""
    data: dict[str, Any]
    """The arguments of `data.load`."""
    fingerprint: str
    """SHA-256 of data, labels and splits."""
    seed: int
    threads: int
    device: str
    stages: tuple[tuple[str, int], ...]
    """Name and rounds of each stage."""
    command: str
    """The shell command that makes this run again."""

    @property
    def rounds(self) -> int:
        """Rounds of all stages."""
        return sum(rounds for _, rounds in self.stages)


class RunFolder:
    """A run's folder on disk."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """An existing run.

        Raises:
            UserError: where there is none, or its config.json is damaged or of a newer version.
        """
        folder = cls(path)
        if not (folder.path / "config.json").is_file():
            raise UserError(f"no run at {path}: it has no config.json; 'adversaria train NAME --out {path}' begins one")
        folder.config  # noqa: B018  fails here rather than later
        return folder

    @property
    def config(self) -> RunConfig:
        """config.json."""
        path = self.path / "config.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(values, dict) and isinstance(values.get("format"), int) and values["format"] > FORMAT:
                raise UserError(
                    f"{path} has format {values['format']}, this adversaria reads up to {FORMAT}; upgrade adversaria"
                )
            return TypeAdapter(RunConfig).validate_python(values)
        except json.JSONDecodeError as error:
            raise UserError(f"{path} is damaged: {error}; restore it from a checkpoint's facts.json") from None
        except ValidationError as error:
            raise UserError(f"{path} is not a run's config: {explain(error)}; mend or remove it") from None

    def write_config(self, config: RunConfig) -> None:
        """Replaces config.json in one step."""
        values = TypeAdapter(RunConfig).dump_python(config, mode="json")
        self.write("config.json", json.dumps(values, indent=1).encode())

    def write(self, name: str, content: bytes) -> Path:
        """Writes a file of the folder under a temporary name, syncs it and renames it: it is whole or not there."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        return target

    def read_json(self, name: str) -> Any:
        """A JSON file of the folder, or None where there is none."""
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def log(self, record: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=True) + "\n")

    def event(self, round: int, event: str, text: str = "") -> None:
        """Logs that something happened: started, resumed, stopped, finished, rolled-back, damaged-checkpoint, ..."""
        self.log({"kind": "event", "round": round, "event": event, "text": text})

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The log's records of a kind in order of rounds; of two for the same round and name, the later one counts.

        A resumed run plays rounds again that were logged before it was killed; a torn last line is passed over.
        """
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        found: dict[Any, dict[str, Any]] = {}
        for i, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(record, dict) and record.get("kind") == kind and isinstance(record.get("round"), int):
                key = i if kind == "event" else (record["round"], record.get("name"))
                found.pop(key, None)
                found[key] = record
        return list(found.values()) if kind == "event" else sorted(found.values(), key=lambda r: r["round"])

    @property
    def sheets(self) -> list[tuple[int, Path]]:
        """The sample sheets over time: round and picture."""
        found = sorted(self.path.glob("samples/round-*.png"))
        return [(int(path.stem[6:]), path) for path in found if path.stem[6:].isdecimal()]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process; the lock goes with the process, however it ends.

        Raises:
            UserError: where another process holds it.
        """
        with (self.path / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise UserError(f"run folder {self.path} is in use by {holder}; wait for it, or stop it") from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {os.uname().nodename}")
            file.flush()
            yield
