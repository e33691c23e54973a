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
from adversaria.metrics.floors import closed_forms
from adversaria.zoo import code, held_out, kept
from adversaria.zoo.held_out import Cell, Held, data_of, hold_out
from adversaria.zoo.kept import Kept
from adversaria.zoo.pool import Failure, spread
from adversaria.zoo.verify import stamp

if TYPE_CHECKING:
    from adversaria.data import DataSpec
    from adversaria.data.bits import Mode

FORMAT = 1
FOLDER = "likelihoods"
FITTED = 20_000
"""Training examples that a floor is fitted to, at most."""
TOLD = ("log_prob", "bound", "infer")
"""Abilities of which a model has one where it has a likelihood."""


@dataclass(frozen=True)
class Row:
    """A system of the table: a recipe at its preset `small`, or a variant of one."""

    label: str
    """The recipe's name; and, after a comma, the variant's."""
    changed: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters in place of the preset's."""
    preset: str | None = "small"
    least: float = 0.0
    """Seconds under which it isn't played: it is too large to come to anything."""

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return self.label.partition(",")[0]


WIDE: dict[str, Any] = {"network": "mlp", "hidden": 500, "depth": 2, "latent": 40}
"""Networks of the papers on 28 x 28 images."""
LONG = 600.0
VARIANTS = (
    Row("made, 16 masks", {"masks": 16}),
    Row("iwae, k = 1", {"k": 1}),
    Row("iwae, k = 50", {"k": 50}),
    Row("iwae, two layers", {"latents": (32, 16)}),
    Row("vae, mlp", {"network": "mlp"}),
    Row("nade, 500 units", {"hidden": 500}, None, LONG),
    Row("vae, 500 units", WIDE, None, LONG),
    Row("vae-iaf, 500 units", WIDE | {"flow_hidden": 320}, None, LONG),
    Row("iwae, 200 units, k = 1", {"k": 1, "latents": (50,)}, None, LONG),
    Row("iwae, 200 units, k = 50", {"k": 50, "latents": (50,)}, None, LONG),
)


def rows(wanted: tuple[str, ...] = ()) -> list[Row]:
    """The table's rows, or those of the recipes or labels wanted."""
    plain = [Row(name) for name, entry in catalogue.entries().items() if entry.family != "adversarial"]
    every = sorted([*plain, *VARIANTS], key=lambda row: row.label)
    return [row for row in every if not wanted or row.label in wanted or row.recipe in wanted]


def why_not(row: Row, spec: DataSpec, budget: float = math.inf) -> str:
    """Why the row isn't played on such data; empty where it is."""
    if budget < row.least:
        return f"is for budgets of {row.least:g} seconds and more"
    recipe = catalogue.make(row.recipe, row.preset, **row.changed)
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
    tables = {source: Table(source, wish, folder) for source in wish.data}
    wanted = [cell for table in tables.values() for cell in table.cells(say)]
    missing = [cell for cell in wanted if not tables[cell.source].holds(cell)]
    say(f"{len(wanted)} cells, {len(wanted) - len(missing)} measured already")
    if dry_run:
        return 0
    failed = 0
    for done, (cell, answer) in enumerate(spread(hold_out, missing, wish.jobs), 1):
        table = tables[cell.source]
        table.keep(cell, answer)
        failed += isinstance(answer, Failure)
        say(f"{done}/{len(missing)}  {cell.label}, {table.data.name}, seed {cell.seed}: {_told(answer)}")
    return failed


def _told(answer: Held | Failure) -> str:
    if isinstance(answer, Failure):
        return f"failed: {answer.reason}"
    n = answer.numbers
    told = f"{n['nll']:.4g} ± {n['error']:.2g} {n['unit']}, {n['kind']}, {n['n']} examples"
    return f"{told}; best of {n['rounds']:,} rounds at {n['best round']:,}, {answer.seconds:g} s"


class Table:
    """The cells of one data set, and the file that keeps them."""

    def __init__(self, source: str, wish: Wish, folder: Path) -> None:
        self.source, self.wish, self.data = source, wish, data_of(source, wish.binarise)
        if not all(self.data.size(split) for split in ("valid", "test")):
            raise UserError(
                f"{self.data.name} has no validation or no test split, which the table of likelihoods needs"
            )
        facts: dict[str, Any] = {
            "format": FORMAT, "data": self.data.name, "fingerprint": self.data.fingerprint, "d": self.data.spec.size,
            "train": self.data.size("train"), "n": min(wish.examples, self.data.size("test")),
            "lossy": self.data.lossy, "samples": SAMPLES,
        }  # fmt: skip
        path = folder / FOLDER / f"{self.data.name}.json"
        self.kept = Kept(path, facts, {"floors": self._floors(facts["n"])}, ("label", "budget", "seed"))
        self.fields: dict[str, Mapping[str, Any]] = {}
        self.code: dict[str, str] = {}

    def _floors(self, n: int) -> dict[str, Any]:
        train = self.data.examples(min(FITTED, self.data.size("train"))).x
        found = closed_forms(train, self.data.examples(n, "test").x, self.data.spec)
        return {name: {"nll": e.value, "error": e.error, "unit": e.unit} for name, e in found.items()}

    def cells(self, say: Callable[[str], None]) -> list[Cell]:
        """What is wanted of these data, a seed of every row after another."""
        playing: list[Row] = []
        for row in rows(self.wish.recipes):
            why = why_not(row, self.data.spec, self.wish.budget)
            if why:
                say(f"left out of {self.data.name}: {row.label} {why}")
            else:
                playing.append(row)
                fields = json.loads(json.dumps(self._cell(row, 0).make().fields()))
                self.fields[row.label] = {name: value for name, value in fields.items() if name != "rounds"}
                path = catalogue.find(row.recipe).path
                self.code[row.label] = code.fingerprint([path, Path(held_out.__file__)])
        return [self._cell(row, seed) for seed in range(self.wish.seeds) for row in playing]

    def _cell(self, row: Row, seed: int) -> Cell:
        return Cell(row.label, row.recipe, row.preset, json.dumps(dict(row.changed)), self.source, self.wish.binarise,
                    seed, self.wish.budget, self.wish.examples)  # fmt: skip

    def _wanted(self, cell: Cell) -> dict[str, Any]:
        return {"label": cell.label, "budget": cell.budget, "seed": cell.seed, "fields": self.fields[cell.label],
                "code": self.code[cell.label]}  # fmt: skip

    def holds(self, cell: Cell) -> bool:
        """Whether the cell was measured as it would be now."""
        return self.kept.holds(self._wanted(cell))

    def keep(self, cell: Cell, answer: Held | Failure) -> None:
        """Writes the cell into the file, in place of an older one."""
        row: dict[str, Any] = {"recipe": cell.recipe, **self._wanted(cell), **stamp(self.wish.command)}
        if isinstance(answer, Failure):
            row["failed"] = answer.reason
        elif not math.isfinite(answer.numbers["nll"]):
            row["failed"] = f"{answer.numbers['n']} examples have no finite likelihood among them"
        else:
            row |= {"seconds": answer.seconds, "machine": dict(answer.machine), "numbers": dict(answer.numbers)}
        self.kept.keep(row)


def read_all(folder: Path) -> list[dict[str, Any]]:
    """All tables there are, in order of name."""
    return kept.read_all(folder / FOLDER, FORMAT)
