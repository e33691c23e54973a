"""Runs experiments, and keeps of each a figure, a JSON of its numbers and its verdict."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria.data import load
from adversaria.errors import UserError
from adversaria.game import seeded
from adversaria.lab import shelf
from adversaria.lab.bench import Bench, Finding, Outcome
from adversaria.lab.figures import png
from adversaria.runs.environment import environment
from adversaria.zoo import code
from adversaria.zoo.pool import Failure, spread
from adversaria.zoo.results import replace_file
from adversaria.zoo.verify import stamp

FORMAT = 1
DIGITS = 6
"""Significant ones, of the series kept."""
MOST = 2_000
"""Numbers of a series kept at most: larger ones are in the figure."""
NUMBERS, FIGURE = "numbers.json", "figure.png"
MACHINE = ("python", "torch", "processor", "cores")


@dataclass(frozen=True)
class Task:
    """An experiment to run."""

    name: str
    quick: bool
    source: str
    seeds: int
    out: str
    command: str
    images: str
    """What the source calls itself."""
    fingerprint: str
    """Of its images."""
    tiny: bool = False


@dataclass(frozen=True)
class Done:
    """What came of it."""

    name: str
    holds: bool
    seconds: float
    lines: tuple[str, ...]
    kept: bool = False
    """Whether it had been run before, by the same code and settings."""


def run(task: Task) -> Done:
    """Runs an experiment and writes OUT/NAME/numbers.json and figure.png."""
    card = shelf.find(task.name)
    module = import_module(card.module)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="adversaria-lab-") as folder:
        bench = Bench(task.quick, task.source, Path(folder), task.seeds, task.tiny)
        with seeded(0):
            outcome: Outcome = module.run(bench)
    series = _arrays(outcome.series)
    picture = png(module.draw, series)
    seconds = time.perf_counter() - started
    place = Path(task.out) / task.name
    place.mkdir(parents=True, exist_ok=True)
    (place / FIGURE).write_bytes(picture)
    machine = {name: value for name, value in environment().items() if name in MACHINE}
    told = {
        "format": FORMAT, **_wanted(task), "verdict": "holds" if outcome.holds else "does not hold",
        "findings": [_found(finding) for finding in outcome.findings], "said": outcome.said,
        "series": {name: _kept(values) for name, values in series.items()},
        "seconds": round(seconds, 1), "machine": machine, **stamp(task.command),
    }  # fmt: skip
    replace_file(place / NUMBERS, json.dumps(told, indent=1, allow_nan=False))
    return Done(task.name, outcome.holds, seconds, tuple(map(str, outcome.findings)))


def run_all(tasks: list[Task], jobs: int, again: bool) -> Iterator[tuple[Task, Done | Failure]]:
    """Each task with what came of it, as they end; those of the same code and settings aren't run again.

    Raises:
        UserError: before any runs, where a quick one would take the place of a full one, and not `again`.
    """
    before = {} if again else {task.name: read(Path(task.out) / task.name) for task in tasks}
    full = [task.name for task in tasks if task.quick and before.get(task.name, {}).get("quick") is False]
    if full:
        more = f" and {len(full) - 3} more" * (len(full) > 3)
        named = ", ".join(full[:3]) + more
        raise UserError(f"{tasks[0].out} has {named} at the full budget, and --quick would replace that; "
                        "give another --out, or --again to replace it")  # fmt: skip
    missing = []
    for task in tasks:
        told = before.get(task.name, {})
        if told and all(told.get(name) == value for name, value in _wanted(task).items()):
            lines = tuple(str(finding_of(found)) for found in told["findings"])
            yield task, Done(task.name, told["verdict"] == "holds", told["seconds"], lines, kept=True)
        else:
            missing.append(task)
    yield from spread(run, missing, jobs)


def read(place: Path) -> dict[str, Any]:
    """The numbers of an experiment; {} where there are none of this format."""
    try:
        told = json.loads((place / NUMBERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and told.get("format") == FORMAT else {}


def finding_of(kept: Mapping[str, Any]) -> Finding:
    """A finding as it was before it was kept."""
    low, high = (side if kept[name] is None else kept[name] for name, side in (("low", -math.inf), ("high", math.inf)))
    return Finding(kept["quantity"], tuple(math.nan if v is None else v for v in kept["values"]), low, high,
                   kept["unit"], kept["exact"])  # fmt: skip


def _wanted(task: Task) -> dict[str, Any]:
    return {"name": task.name, "quick": task.quick, "tiny": task.tiny, "seeds": task.seeds, "images": task.images,
            "fingerprint": task.fingerprint, "code": code.fingerprint([shelf.find(task.name).path])}  # fmt: skip


def _found(finding: Finding) -> dict[str, Any]:
    told = asdict(finding) | {"value": finding.value, "agreed": finding.agreed, "holds": finding.holds}
    return {name: _plain(value, digits=17) for name, value in told.items()}


def _arrays(value: Any) -> Any:
    """With NumPy's arrays in the place of tensors, which Matplotlib doesn't know."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, Mapping):
        return {name: _arrays(part) for name, part in value.items()}
    return [_arrays(part) for part in value] if isinstance(value, list | tuple) else value


def _kept(series: Any) -> Any:
    """A series of arrays as JSON has it, or how many numbers it has where they are too many."""
    count = _count(series)
    return _plain(series) if count <= MOST else f"{count:,} numbers, in the figure"


def _count(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return int(value.size)
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else None
    return 1 if parts is None else sum(map(_count, parts))


def _plain(value: Any, digits: int = DIGITS) -> Any:
    """As JSON has it: arrays are lists, numbers have so many digits, what isn't finite is null."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(part, digits) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, digits) for part in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return float(f"{number:.{digits}g}") if math.isfinite(number) else None


def settings(names: list[str], out: Path, *, quick: bool, source: str, seeds: int, command: Callable[[str], str],
             tiny: bool = False) -> list[Task]:  # fmt: skip
    """The tasks of these names.

    Raises:
        UserError: where the images can't be read, or are none.
    """
    torch.set_num_threads(1)  # numbers depend on it
    data = load(source)
    if data.spec.kind != "image":
        raise UserError(f"--data {source} is {data.spec.kind}; experiments that take data take images, as digits")
    return [Task(name, quick, source, seeds, str(out), command(name), data.name, data.fingerprint, tiny)
            for name in names]  # fmt: skip
