"""The table of modes: every adversarial recipe, over seeds, on data whose modes are known; kept cell by cell."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adversaria import catalogue
from adversaria.data.stacked import Stacks
from adversaria.errors import at_least, unknown
from adversaria.zoo import code, coverage, kept
from adversaria.zoo.budgets import Row, rows, why_not
from adversaria.zoo.coverage import SAMPLES, Cell, Covered, cover, data_of
from adversaria.zoo.kept import Kept
from adversaria.zoo.pool import Failure, spread
from adversaria.zoo.verify import stamp

FORMAT = 1
FOLDER = "modes"


@dataclass(frozen=True)
class Wish:
    """What the table is asked to hold."""

    data: tuple[str, ...] = ("ring8", "grid25", "stacked-digits")
    recipes: tuple[str, ...] = ()
    """Recipes or labels; all without."""
    seeds: int = 6
    stack_seeds: int = 3
    stacked: bool = False
    """Stack the data, which are labelled grey images."""
    jobs: int = 1
    device: str = "cpu"
    command: str = ""

    def __post_init__(self) -> None:
        at_least("--seeds", self.seeds, 1)
        at_least("--stack-seeds", self.stack_seeds, 1)
        at_least("--jobs", self.jobs, 1)
        known = {name for row in rows() for name in (row.label, row.recipe)}
        for name in self.recipes:
            if name not in known:
                raise unknown("row of the table", name, known)


def fill(wish: Wish, folder: Path, say: Callable[[str], None] = print, dry_run: bool = False) -> int:
    """Trains and measures the cells that `folder` doesn't hold; returns how many failed.

    A cell is kept where its code, its hyperparameters, the data and the number of samples are the same.
    """
    tables = {source: Table(source, wish, folder) for source in wish.data}
    wanted = [cell for table in tables.values() for cell in table.cells(say)]
    missing = [cell for cell in wanted if not tables[cell.source].holds(cell)]
    say(f"{len(wanted)} cells, {len(wanted) - len(missing)} measured already")
    if dry_run:
        return 0
    failed = 0
    for done, (cell, answer) in enumerate(spread(cover, missing, wish.jobs), 1):
        tables[cell.source].keep(cell, answer)
        failed += isinstance(answer, Failure)
        say(f"{done}/{len(missing)}  {cell.label}, {cell.source}, seed {cell.seed}: {_told(answer)}")
    return failed


def _told(answer: Covered | Failure) -> str:
    if isinstance(answer, Failure):
        return f"failed: {answer.reason}"
    n = answer.numbers
    quality = f", {n['high quality']:.1%} of high quality" if "high quality" in n else ""
    hit = f"{n['modes']:.0f} modes, {n['modes in force']:.0f} in force"
    return f"{hit}{quality}, KL {n['KL']:.3g}, {answer.seconds:g} s"


class Table:
    """The cells of one data set, and the file that keeps them."""

    def __init__(self, source: str, wish: Wish, folder: Path) -> None:
        self.source, self.wish = source, wish
        self.data = data_of(source, wish.stacked)
        self.stacks = isinstance(self.data.store, Stacks)
        facts: dict[str, Any] = {
            "format": FORMAT, "data": self.data.name, "fingerprint": self.data.fingerprint,
            "modes": self.data.spec.classes, "samples": SAMPLES[self.data.spec.kind],
        }  # fmt: skip
        path = folder / FOLDER / f"{self.data.name}.json"
        self.kept = Kept(path, facts, {"perfect": {}, "classifier": {}}, ("label", "seed"))
        self.fields: dict[str, Mapping[str, Any]] = {}
        self.code: dict[str, str] = {}

    def cells(self, say: Callable[[str], None]) -> list[Cell]:
        """What is wanted of these data, a seed of every row after another."""
        playing: list[Row] = []
        for row in rows(self.wish.recipes):
            why = why_not(row, self.data.spec)
            if why:
                say(f"left out of {self.data.name}: {row.label} {why}")
            else:
                playing.append(row)
                self._know(row)
        seeds = self.wish.stack_seeds if self.stacks else self.wish.seeds
        return [self._cell(row, seed) for seed in range(seeds) for row in playing]

    def _know(self, row: Row) -> None:
        self.fields[row.label] = json.loads(json.dumps(self._cell(row, 0).make().fields()))
        path = catalogue.find(row.recipe).path
        self.code[row.label] = code.fingerprint([path, Path(coverage.__file__)])

    def _cell(self, row: Row, seed: int) -> Cell:
        changed = row.changed("stacks" if self.stacks else "points") or {}
        return Cell(row.label, row.recipe, row.preset, json.dumps(dict(changed)), self.source, self.wish.stacked, seed,
                    self.wish.device)  # fmt: skip

    def _wanted(self, cell: Cell) -> dict[str, Any]:
        return {"label": cell.label, "seed": cell.seed, "fields": self.fields[cell.label],
                "code": self.code[cell.label]}  # fmt: skip

    def holds(self, cell: Cell) -> bool:
        """Whether the cell was measured as it would be now."""
        return self.kept.holds(self._wanted(cell))

    def keep(self, cell: Cell, answer: Covered | Failure) -> None:
        """Writes the cell into the file, in place of an older one."""
        row: dict[str, Any] = {"recipe": cell.recipe, **self._wanted(cell), **stamp(self.wish.command)}
        if isinstance(answer, Failure):
            row["failed"] = answer.reason
        else:
            row |= {"seconds": answer.seconds, "machine": dict(answer.machine), "numbers": _finite(answer.numbers)}
            self.kept.told["perfect"] = {key: list(value) for key, value in answer.perfect.items()}
            self.kept.told["classifier"] = dict(answer.classifier)
        self.kept.keep(row)


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def read_all(folder: Path) -> Sequence[dict[str, Any]]:
    """All tables there are, in order of name."""
    return kept.read_all(folder / FOLDER, FORMAT)
