"""All that a run folder says, read once and with patience: what is damaged or missing is named, not fatal."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from adversaria import catalogue
from adversaria.errors import UserError
from adversaria.report.wording import number
from adversaria.runs.folder import RunConfig, RunFolder

FORMAT = 1
"""Of evaluation.json and diagnosis.json, the newest that is read."""
T = TypeVar("T")
Record = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """The rounds of a stage."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Reading:
    """A run folder's content."""

    path: Path
    config: RunConfig
    rounds: list[Record]
    scores: list[Record]
    events: list[Record]
    data: Record
    environment: Record
    exhibits: Record
    sheets: list[tuple[int, Path]]
    entry: catalogue.Entry | None
    verdicts: list[Record] = field(default_factory=list)
    """Verdicts of the checks while training."""
    evaluation: Record = field(default_factory=dict)
    diagnosis: Record = field(default_factory=dict)
    newest_checkpoint: int = 0
    """Its round."""
    faults: list[str] = field(default_factory=list)
    """What could not be read."""

    @property
    def recipe(self) -> str:
        """The recipe's name, for a user's own file its stem."""
        name = self.config.recipe
        return Path(name).stem.replace("_", "-") if name.endswith(".py") else name

    @property
    def data_name(self) -> str:
        """What the data are called."""
        return str(self.data.get("name") or self.config.data.get("source") or "unknown data")

    @property
    def examples(self) -> str:
        """What an example of the data is called."""
        return "images" if self.data.get("kind", "image") == "image" else "examples"

    @property
    def round(self) -> int:
        """The last round that the folder knows of."""
        logged = (*self.rounds[-1:], *self.scores[-1:], *self.verdicts[-1:], *self.events)
        known = [0, self.newest_checkpoint, *(int(r["round"]) for r in logged)]
        return max(*known, *(round for round, _ in self.sheets), 0)

    @property
    def stages(self) -> list[Span]:
        """The stages with their rounds, counted over the whole run."""
        spans, last = [], 0
        for name, rounds in self.config.stages:
            spans.append(Span(name, last + 1, last + rounds))
            last += rounds
        return spans

    @property
    def images(self) -> float:
        """Examples drawn in all stages."""
        latest = {str(r.get("stage")): number(r.get("images")) for r in self.rounds}
        return sum(n for n in latest.values() if math.isfinite(n))

    @property
    def seconds(self) -> float:
        """Time spent in rounds: those that were not logged took as long as the next one that was."""
        total, before = 0.0, 0.0
        for record in self.rounds:
            seconds = number(record.get("seconds"))
            total += (record["round"] - before) * seconds if math.isfinite(seconds) else 0.0
            before = record["round"]
        return total

    @property
    def status(self) -> str:
        """How the run stands by its events: finished, stopped, broke down, still going or not started."""
        words = {"finished": "finished", "stopped": "stopped", "broke-down": "broke down"}
        last = next((e["event"] for e in reversed(self.events) if e.get("event") in (*words, "started", "resumed")), "")
        return words.get(last, "still going" if self.events else "not started")


def read(folder: RunFolder) -> Reading:
    """Reads a run folder.

    Raises:
        UserError: where it holds no run.
    """
    folder = RunFolder.open(folder.path)
    config = folder.config
    faults: list[str] = []

    def attempt(what: str, reader: Callable[[], T], otherwise: T) -> T:
        try:
            return reader()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            faults.append(f"{what} can't be read: {type(error).__name__}: {error}")
            return otherwise

    def mapping(name: str) -> Record:
        found = attempt(name, lambda: folder.read_json(name), None)
        if found is not None and not isinstance(found, dict):
            faults.append(f"{name} can't be read: a JSON object was expected, it holds a {type(found).__name__}")
        return mapping_of(found)

    def versioned(name: str) -> Record:
        found = mapping(name)
        if found and not number(found.get("format", FORMAT)) <= FORMAT:
            faults.append(f"{name} can't be read: its format is {found.get('format')}, this adversaria reads {FORMAT}")
            return {}
        return found

    no_sheets: list[tuple[int, Path]] = []

    def records(kind: str) -> list[Record]:
        nothing: list[Record] = []
        found = attempt(f"metrics.jsonl ({kind})", lambda: folder.records(kind), nothing)
        return [record for record in found if math.isfinite(number(record.get("round")))]

    return Reading(
        path=folder.path,
        config=config,
        rounds=records("round"),
        scores=records("score"),
        events=records("event"),
        data=mapping("data.json"),
        environment=mapping("environment.json"),
        exhibits=mapping("exhibits/exhibits.json"),
        sheets=sorted(attempt("samples/", lambda: folder.sheets, no_sheets)),
        entry=attempt("recipe.py", lambda: _entry(folder.path, config), None),
        verdicts=records("verdict"),
        evaluation=versioned("evaluation.json"),
        diagnosis=versioned("diagnosis.json"),
        newest_checkpoint=attempt("checkpoints/", lambda: _newest_checkpoint(folder.path), 0),
        faults=faults,
    )


def _entry(path: Path, config: RunConfig) -> catalogue.Entry | None:
    """The recipe as the run has kept it; the library's where it has not."""
    kept = path / "recipe.py"
    try:
        return catalogue.read(kept) if kept.is_file() else catalogue.find(config.recipe)
    except UserError as error:
        raise ValueError(str(error)) from None


def _newest_checkpoint(path: Path) -> int:
    names = (p.name for p in path.glob("checkpoints/[0-9]*") if p.is_dir())
    return max((int(name) for name in names if name.isdecimal()), default=0)


def mapping_of(value: Any) -> Record:
    """The value where it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def spread(sheets: list[tuple[int, Path]], most: int = 12) -> list[tuple[int, Path]]:
    """At most so many sheets, the first and last among them, far apart on a logarithmic scale of rounds."""
    if len(sheets) <= most:
        return sheets
    place = [math.log(max(round, 1)) for round, _ in sheets]
    chosen = {0, len(sheets) - 1}
    gap = [min(abs(p - place[c]) for c in chosen) for p in place]
    while len(chosen) < most:
        new = max((i for i in range(len(sheets)) if i not in chosen), key=lambda i: gap[i])
        chosen.add(new)
        gap = [min(g, abs(p - place[new])) for g, p in zip(gap, place, strict=True)]
    return [sheets[i] for i in sorted(chosen)]
