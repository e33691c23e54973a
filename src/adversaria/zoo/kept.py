"""Cells of a table of measurements: one JSON file a data set, in which a cell stays as long as it would come out so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adversaria.errors import UserError
from adversaria.zoo import results


class Kept:
    """The file of a data set: facts that all its cells share, and the cells.

    Args:
        path: of the file, which need not be there.
        facts: what all cells rest on, with a format and a command; where the file has others it is begun anew.
        empty: what else a new file has.
        key: names of a cell's entries of which no two cells have the same.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], empty: Mapping[str, Any], key: Sequence[str]) -> None:
        self.path, self.key = path, tuple(key)
        kept = read(path, facts["format"]) if path.is_file() else {}
        same = all(kept.get(name) == value for name, value in facts.items())
        self.told: dict[str, Any] = kept if same else {**facts, **empty, "cells": []}

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
