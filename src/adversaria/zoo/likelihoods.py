"""The table of likelihoods: every recipe that has one, over seeds, at equal budgets; kept cell by cell."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adversaria import catalogue
from adversaria.claims.held import SAMPLES
from adversaria.errors import UserError, at_least, unknown
from adversaria.evaluation.likelihoods import FITTED, TOLD
from adversaria.metrics.floors import closed_forms
from adversaria.zoo import held_out, kept
from adversaria.zoo.held_out import Cell, Held, data_of, hold_out

if TYPE_CHECKING:
    from adversaria.data import DataSpec
    from adversaria.data.bits import Mode

FORMAT = 1
FOLDER = "likelihoods"
PRESET = "small"


@dataclass(frozen=True)
class Row:
    """A system of the table: a recipe at its preset `small`, or a variant of one."""

    label: str
    """The recipe's name; and, after a comma, the variant's."""
    changed: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters in place of the preset's."""

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return self.label.partition(",")[0]


VARIANTS = (
    Row("made, 16 masks", {"masks": 16}),
    Row("iwae, k = 1", {"k": 1}),
    Row("iwae, k = 50", {"k": 50}),
    Row("iwae, two layers", {"latents": (32, 16)}),
    Row("vae, mlp", {"network": "mlp"}),
)


def rows(wanted: tuple[str, ...] = ()) -> list[Row]:
    """The table's rows, or those of the recipes or labels wanted."""
    plain = [Row(name) for name, entry in catalogue.entries().items() if entry.family != "adversarial"]
    every = sorted([*plain, *VARIANTS], key=lambda row: row.label)
    return [row for row in every if not wanted or row.label in wanted or row.recipe in wanted]


def why_not(row: Row, spec: DataSpec) -> str:
    """Why the row isn't played on such data; empty where it is."""
    recipe = catalogue.make(row.recipe, PRESET, **row.changed)
    if spec.kind not in recipe.KINDS:
        return f"plays on {' or '.join(recipe.KINDS)} data"
    try:
        game = recipe.build(spec)
    except UserError as error:
        return f"can't be built: {error}"
    return "" if any(map(game.can, TOLD)) else "tells no likelihood"


@dataclass(frozen=True)
class Wish:
    """What the table is asked to hold."""

    data: tuple[str, ...] = ("digits-static", "digits-dynamic")
    binarise: Mode | None = None
    """Make black and white images of data that aren't."""
    recipes: tuple[str, ...] = ()
    """Recipes or labels; all without."""
    seeds: int = 3
    budget: float = 30.0
    """Seconds of one core that each cell is trained for."""
    examples: int = 1_000
    """Test examples, at most."""
    jobs: int = 1
    command: str = ""

    def __post_init__(self) -> None:
        at_least("--seeds", self.seeds, 1)
        at_least("--jobs", self.jobs, 1)
        at_least("--examples", self.examples, 2)
        if not 0 < self.budget < math.inf:
            raise UserError(f"--seconds is {self.budget:g}; it must be above 0")
        known = {name for row in rows() for name in (row.label, row.recipe)}
        for name in self.recipes:
            if name not in known:
                raise unknown("row of the table", name, known)


def fill(wish: Wish, folder: Path, say: Callable[[str], None] = print, dry_run: bool = False) -> int:
    """Trains and measures the cells that `folder` doesn't hold; returns how many failed.

    A cell is kept where its code, its hyperparameters, the data, the budget and the number of examples are the same.
    """
    tables = {source: Likelihoods(source, wish, folder) for source in wish.data}
    return kept.fill(tables, hold_out, wish.jobs, say, dry_run)


class Likelihoods(kept.Table[Cell, Held]):
    """The cells of one data set."""

    def __init__(self, source: str, wish: Wish, folder: Path) -> None:
        self.source, self.wish, self.data = source, wish, data_of(source, wish.binarise)
        data = self.data
        if not all(data.size(split) for split in ("valid", "test")):
            raise UserError(f"{data.name} has no validation or no test split; the table of likelihoods needs both")
        n = min(wish.examples, data.size("test"))
        facts: dict[str, Any] = {
            "format": FORMAT, "data": data.name, "fingerprint": data.fingerprint, "d": data.spec.size,
            "train": data.size("train"), "n": n, "lossy": data.lossy, "samples": SAMPLES,
        }  # fmt: skip
        path = folder / FOLDER / f"{data.name}.json"
        file = kept.Kept(path, facts, lambda: {"floors": self._floors(n)}, ("label", "budget", "seed"))
        super().__init__(file, data.name, held_out.__file__, wish.command)

    def _floors(self, n: int) -> dict[str, Any]:
        train = self.data.examples(min(FITTED, self.data.size("train"))).x
        found = closed_forms(train, self.data.examples(n, "test").x, self.data.spec)
        return {name: {"nll": e.value, "error": e.error, "unit": e.unit} for name, e in found.items()}

    def cells(self, say: Callable[[str], None]) -> list[Cell]:
        """Of all rows that can be played on these data."""
        playing: list[Row] = []
        for row in rows(self.wish.recipes):
            why = why_not(row, self.data.spec)
            if why:
                say(f"left out of {self.name}: {row.label} {why}")
            else:
                playing.append(row)
        return [self._cell(row, seed) for seed in range(self.wish.seeds) for row in playing]

    def _cell(self, row: Row, seed: int) -> Cell:
        return Cell(row.label, row.recipe, PRESET, json.dumps(dict(row.changed)), self.source, self.wish.binarise,
                    seed, self.wish.budget, self.wish.examples)  # fmt: skip

    def place(self, cell: Cell) -> dict[str, Any]:
        """Label, budget and seed."""
        return {"label": cell.label, "budget": cell.budget, "seed": cell.seed}

    def wanted(self, cell: Cell) -> dict[str, Any]:
        """Without the preset's rounds: as many are played as fit into the budget."""
        told = super().wanted(cell)
        return {**told, "fields": {name: value for name, value in told["fields"].items() if name != "rounds"}}

    def numbers(self, answer: Held) -> dict[str, Any]:
        """The likelihood and what belongs to it."""
        if not math.isfinite(answer.numbers["nll"]):
            return {"failed": f"{answer.numbers['n']} examples have no finite likelihood among them"}
        return {"seconds": answer.seconds, "machine": dict(answer.machine), "numbers": dict(answer.numbers)}

    def line(self, answer: Held) -> str:
        """The likelihood and its protocol."""
        n = answer.numbers
        told = f"{n['nll']:.4g} ± {n['error']:.2g} {n['unit']}, {n['kind']}, {n['n']} examples"
        return f"{told}; best of {n['rounds']:,} rounds at {n['best round']:,}, {answer.seconds:g} s"


def read_all(folder: Path) -> list[dict[str, Any]]:
    """All tables there are, in order of name."""
    return kept.read_all(folder / FOLDER, FORMAT)
