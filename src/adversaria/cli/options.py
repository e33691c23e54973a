"""Options that several verbs share, and how a run is watched."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adversaria.errors import UserError
from adversaria.runs.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from adversaria.api import Run
    from adversaria.runs.training import Step

STOPPED = {"SIGINT": 130, "SIGTERM": 75}


def follow(run: Run, *, minutes: float | None, rounds: int | None = None, every: int | None = None,
           tensorboard: bool = False) -> int:  # fmt: skip
    """Trains with a progress display, then writes the report; returns the exit code."""
    with Interruption() as interruption:
        steps = run.steps(
            minutes=minutes, rounds=rounds, stop=lambda: interruption.received is not None, every=every,
            tensorboard=tensorboard,
        )  # fmt: skip
        if sys.stdout.isatty():
            from adversaria.cli.progress import watch

            watch(steps, run)
        else:
            _lines(steps, run)
    if not run.finished:
        done = run.history("event")[-1]["round"]
        print(f"stopped after round {done} of {run.folder.config.rounds}, saved")
        print(f"go on:    {program()} resume {run.path}")
        return STOPPED[interruption.received.name] if interruption.received else 0
    for event in run.history("event"):
        if event["event"] in ("rolled-back", "damaged-checkpoint", "not-exact"):
            print(f"note: {event['text']}")
    report = run.report()
    print(f"report:   {report}")
    print(f"samples:  {program()} sample {run.path} -n 64 --out samples.png")
    print(f"go on:    {program()} resume {run.path} --rounds {2 * run.folder.config.rounds}")
    return 0


def destination(out: Path, endings: tuple[str, ...], rule: str, example: str) -> Path:
    """The file to write, after a check that it can be.

    Raises:
        UserError: for another ending than these, told by `rule`, or a folder that isn't there.
    """
    if endings and out.suffix not in endings:
        raise UserError(f"'{out}' ends in '{out.suffix}'; {rule}")
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {out.parent}; make it, or write elsewhere: --out {example}")
    return out


def write(out: Path, arrays: Mapping[str, Any], picture: Callable[[], bytes]) -> None:
    """Writes an archive of arrays, or a picture, as the file's ending says."""
    import numpy as np

    from adversaria.runs.training import storing

    with storing(out.parent):
        if out.suffix == ".npz":
            np.savez_compressed(out, **arrays)
        else:
            out.write_bytes(picture())


def program() -> str:
    """How this command is called here: by its name, or by its path where the shell wouldn't find the name."""
    return "adversaria" if shutil.which("adversaria") or not sys.argv[0].endswith("adversaria") else sys.argv[0]


def _lines(steps: Iterator[Step], run: Run, seconds: float = 10.0) -> None:
    told, started, first = 0.0, time.monotonic(), 0
    for step in steps:
        first = first or step.round
        now = time.monotonic()
        if now - told > seconds or step.round == run.folder.config.rounds:
            told = now
            rate = (step.round - first + 1) / max(now - started, 1e-9)
            print(
                f"round {step.round}/{run.folder.config.rounds}  {rate:.3g} rounds/s  {step}",
                flush=True,
            )
