"""The table of modes: every adversarial recipe, over seeds, on data whose modes are known; kept cell by cell."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adversaria.data.stacked import Stacks
from adversaria.errors import at_least, unknown
from adversaria.zoo import coverage, kept
from adversaria.zoo.budgets import Row, rows, why_not
from adversaria.zoo.coverage import SAMPLES, Cell, Covered, cover, data_of

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
    tables = {source: Modes(source, wish, folder) for source in wish.data}
    return kept.fill(tables, cover, wish.jobs, say, dry_run)


class Modes(kept.Table[Cell, Covered]):
    """The cells of one data set."""

    def __init__(self, source: str, wish: Wish, folder: Path) -> None:
        self.source, self.wish = source, wish
        data = data_of(source, wish.stacked)
        self.spec, self.stacks = data.spec, isinstance(data.store, Stacks)
        facts: dict[str, Any] = {
            "format": FORMAT, "data": data.name, "fingerprint": data.fingerprint, "modes": data.spec.classes,
            "samples": SAMPLES[data.spec.kind],
        }  # fmt: skip
        path = folder / FOLDER / f"{data.name}.json"
        file = kept.Kept(path, facts, lambda: {"perfect": {}, "classifier": {}}, ("label", "seed"))
        super().__init__(file, data.name, coverage.__file__, wish.command)

    def cells(self, say: Callable[[str], None]) -> list[Cell]:
        """Of all rows that can be played on these data."""
        playing: list[Row] = []
        for row in rows(self.wish.recipes):
            why = why_not(row, self.spec)
            if why:
                say(f"left out of {self.name}: {row.label} {why}")
            else:
                playing.append(row)
        seeds = self.wish.stack_seeds if self.stacks else self.wish.seeds
        return [self._cell(row, seed) for seed in range(seeds) for row in playing]

    def _cell(self, row: Row, seed: int) -> Cell:
        changed = row.changed("stacks" if self.stacks else "points") or {}
        return Cell(row.label, row.recipe, row.preset, json.dumps(dict(changed)), self.source, self.wish.stacked, seed,
                    self.wish.device)  # fmt: skip

    def place(self, cell: Cell) -> dict[str, Any]:
        """Label and seed."""
        return {"label": cell.label, "seed": cell.seed}

    def numbers(self, answer: Covered) -> dict[str, Any]:
        """Numbers of modes; what a perfect sampler gets goes into the file's head."""
        self.kept.told["perfect"] = {key: list(value) for key, value in answer.perfect.items()}
        self.kept.told["classifier"] = dict(answer.classifier)
        return {"seconds": answer.seconds, "machine": dict(answer.machine), "numbers": _finite(answer.numbers)}

    def line(self, answer: Covered) -> str:
        """Modes, quality and KL."""
        n = answer.numbers
        quality = f", {n['high quality']:.1%} of high quality" if "high quality" in n else ""
        hit = f"{n['modes']:.0f} modes, {n['modes in force']:.0f} in force"
        return f"{hit}{quality}, KL {n['KL']:.3g}, {answer.seconds:g} s"


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def read_all(folder: Path) -> Sequence[dict[str, Any]]:
    """All tables there are, in order of name."""
    return kept.read_all(folder / FOLDER, FORMAT)
