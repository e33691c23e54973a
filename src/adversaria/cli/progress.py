"""A live display of a run on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from adversaria.api import Run
    from adversaria.runs.training import Step


def watch(steps: Iterator[Step], run: Run) -> None:
    """Shows rate, time left, the players' terms and the latest sheet while the steps go by."""
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    task = None
    told = Text()
    with Live(Group(progress, told), console=Console(), refresh_per_second=4):
        for step in steps:
            if task is None:
                total = run.folder.config.rounds
                task = progress.add_task(step.stage, total=total, completed=step.round - 1, rate="")
            images = step.record.images_per_second
            progress.update(task, completed=step.round, description=step.stage, rate=f"{images:.3g} images/s")
            if step.round % 20 == 0 or step.round == 1:
                told.plain = str(step) + (f"\nlatest sheet: {step.sheet}" if step.sheet else "")
