"""Tables of measurements: one JSON file a data set, in which a cell stays as long as it would come out the same."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from adversaria import catalogue
from adversaria.errors import UserError
from adversaria.game import Recipe
from adversaria.zoo import code, results
from adversaria.zoo.pool import Failure, spread
from adversaria.zoo.verify import stamp


class Planned(Protocol):
    """A cell to measure: what is trained, on what, from which seed."""

    @property
    def label(self) -> str:
        """Of its row."""
        ...

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        ...

    @property
    def source(self) -> str:
        """The data."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    def make(self) -> Recipe:
        """The recipe."""
        ...


Cell = TypeVar("Cell", bound=Planned)
Answer = TypeVar("Answer")


class Table(ABC, Generic[Cell, Answer]):
    """The cells of one data set, and the file that keeps them.

    Args:
        kept: the file.
        name: of the data.
        task: the module that measures a cell: a cell rests on it and on its recipe's file.
        command: what was typed.
    """

    def __init__(self, kept: Kept, name: str, task: str, command: str) -> None:
        self.kept, self.name, self.task, self.command = kept, name, task, command
        self.known: dict[str, dict[str, Any]] = {}

    @abstractmethod
    def cells(self, say: Callable[[str], None]) -> Sequence[Cell]:
        """What is wanted of these data, a seed of every row after another; `say` is told what is left out, and why."""

    @abstractmethod
    def place(self, cell: Cell) -> dict[str, Any]:
        """The entries by which the cell is found in the file."""

    @abstractmethod
    def numbers(self, answer: Answer) -> dict[str, Any]:
        """The entries that tell what came out: "numbers", or why there are none, "failed"."""

    @abstractmethod
    def line(self, answer: Answer) -> str:
        """What came out, for a reader."""

    def wanted(self, cell: Cell) -> dict[str, Any]:
        """The entries that a kept cell must have to stand for this one."""
        if cell.label not in self.known:
            fields = json.loads(json.dumps(cell.make().fields()))
            path = catalogue.find(cell.recipe).path
            self.known[cell.label] = {"fields": fields, "code": code.fingerprint([path, Path(self.task)])}
        return {**self.place(cell), **self.known[cell.label]}

    def holds(self, cell: Cell) -> bool:
        """Whether the cell was measured as it would be now."""
        return self.kept.holds(self.wanted(cell))

    def keep(self, cell: Cell, answer: Answer | Failure) -> None:
        """Writes the cell into the file, in place of an older one."""
        told = {"failed": answer.reason} if isinstance(answer, Failure) else self.numbers(answer)
        self.kept.keep({"recipe": cell.recipe, **self.wanted(cell), **stamp(self.command), **told})


def fill(
    tables: Mapping[str, Table[Cell, Answer]], measure: Callable[[Cell], Answer], jobs: int,
    say: Callable[[str], None], dry_run: bool = False,
) -> int:  # fmt: skip
    """Measures the cells that tables lack; returns how many failed.

    Args:
        tables: by the source of their data.
        measure: a cell, a function at the top of its module.
        jobs: processes.
        say: is called with a line for everything that happens.
        dry_run: say what would be measured.
    """
    wanted = [cell for table in tables.values() for cell in table.cells(say)]
    missing = [cell for cell in wanted if not tables[cell.source].holds(cell)]
    say(f"{len(wanted)} cells, {len(wanted) - len(missing)} measured already")
    failed = 0
    for done, (cell, answer) in enumerate(spread(measure, [] if dry_run else missing, jobs), 1):
        table = tables[cell.source]
        table.keep(cell, answer)
        failed += isinstance(answer, Failure)
        told = f"failed: {answer.reason}" if isinstance(answer, Failure) else table.line(answer)
        say(f"{done}/{len(missing)}  {cell.label}, {table.name}, seed {cell.seed}: {told}")
    return failed


class Kept:
    """The file of a data set: facts that all its cells share, and the cells.

    Args:
        path: of the file, which need not be there.
        facts: what all cells rest on, with a format and a command; where the file has others it is begun anew.
        empty: tells what else a new file has.
        key: names of a cell's entries of which no two cells have the same.
    """

    def __init__(
        self, path: Path, facts: Mapping[str, Any], empty: Callable[[], Mapping[str, Any]], key: Sequence[str]
    ) -> None:
        self.path, self.key = path, tuple(key)
        kept = read(path, facts["format"]) if path.is_file() else {}
        same = all(kept.get(name) == value for name, value in facts.items())
        self.told: dict[str, Any] = kept if same else {**facts, **empty(), "cells": []}

    def holds(self, wanted: Mapping[str, Any]) -> bool:
        """Whether there is a measured cell with these entries."""
        return any(
            "numbers" in cell and all(cell.get(name) == value for name, value in wanted.items())
            for cell in self.told["cells"]
        )

    def keep(self, cell: Mapping[str, Any]) -> None:
        """Writes a cell into the file, in place of an older one."""
        others = [kept for kept in self.told["cells"] if self._place(kept) != self._place(cell)]
        self.told["cells"] = sorted([*others, cell], key=self._place)
        results.replace_file(self.path, json.dumps(self.told, indent=1, allow_nan=False))

    def _place(self, cell: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(cell[name] for name in self.key)


def read(path: Path, format: int) -> dict[str, Any]:
    """A data set's facts and cells.

    Raises:
        UserError: for a file that was written by something else.
    """
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != format:
            raise ValueError(f"format {told['format']}, expected {format}")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} can't be read ({type(error).__name__}: {error}); remove it and measure anew") from None
    return told


def read_all(folder: Path, format: int) -> list[dict[str, Any]]:
    """All files of a table, in order of name."""
    return [read(path, format) for path in sorted(folder.glob("*.json"))]
