"""Training as a loop over rounds that keeps a run folder: log, checkpoints, sheets, scores."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from adversaria.data import Dataset
from adversaria.errors import UserError, at_least
from adversaria.game import Game, NonFiniteError, Recipe, Referee, Round, play
from adversaria.game.state import capture, restore
from adversaria.runs import checkpoints, exhibits
from adversaria.runs.folder import RunFolder
from adversaria.runs.sampling import given_for, sheet_size
from adversaria.runs.score import score
from adversaria.runs.sheets import sheet
from adversaria.runs.sinks import TensorBoard

if TYPE_CHECKING:
    from adversaria.runs.checking import Checker

ROLLBACKS = 3
LINES = 1000
"""About how many rounds of a run are logged."""


@dataclass(frozen=True)
class Step:
    """A round that is over."""

    round: int
    """Of the whole run, from 1."""
    stage: str
    record: Round
    sheet: Path | None
    """The latest sheet of samples."""

    def __str__(self) -> str:
        return "  ".join(
            f"{player}: " + " ".join(f"{name} {value:.4g}" for name, value in terms.items())
            for player, terms in self.record.terms.items()
        )


class Training:
    """A run on its way; iterate over `steps`."""

    def __init__(self, folder: RunFolder, recipe: Recipe, data: Dataset, *, every: int | None = None,
                 tensorboard: bool = False) -> None:  # fmt: skip
        self.folder, self.recipe, self.data, self.config = folder, recipe, data, folder.config
        torch.set_num_threads(self.config.threads)
        torch.manual_seed(self.config.seed)
        self.game: Game = recipe.build(data.spec).to(self.config.device)
        rounds = self.config.rounds
        self.every = max(1, min(500, rounds // 10)) if every is None else every
        at_least("every", self.every, 1)
        self.early = {1, rounds // 100, rounds // 30}
        self.log_every = max(1, rounds // LINES)
        self.round = 0
        self.latest_sheet: Path | None = None
        self.sink = TensorBoard(folder.path) if tensorboard else None
        self._scored: tuple[int, float | None] = (-1, None)

    def steps(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Step]:
        """Plays from the newest whole checkpoint, or from the start, to the last round; saves when `stop` says so.

        Raises:
            UserError: where play broke down for good, the disk is full, or no checkpoint is whole.
        """
        with self.folder.locked(), storing(self.folder.path):
            try:
                yield from self._stages(stop)
            finally:
                if self.sink:
                    self.sink.close()

    def _stages(self, stop: Callable[[], bool]) -> Iterator[Step]:
        found = checkpoints.newest(self.folder)
        self._event("resumed" if found else "started", round=found.round if found else 0)
        names = [stage.name for stage in self.game.stages]
        first = names.index(found.facts["stage"]) if found else 0
        self.round = sum(rounds for _, rounds in self.config.stages[:first])
        for index in range(first, len(names)):
            stage, rounds = self.game.stages[index], self.config.stages[index][1]
            referee = Referee(stage, rounds)
            if found:
                self._restore(referee, found)
                found = None
            else:
                self._save(referee)
            yield from self._play(index, referee, stop)
            if referee.round < rounds:
                self._event("stopped")
                return
        exhibits.make(self.folder, self.game, self.data, self.round, self.config.seed)
        self._event("finished")

    def _play(self, index: int, referee: Referee, stop: Callable[[], bool]) -> Iterator[Step]:
        """One stage, with roll-backs: the last checkpoint again at half the rates, ROLLBACKS times at most."""
        seed = self.config.seed + index
        batches = self.data.batches(self.recipe.batch, seed=seed, device=self.config.device)
        while True:
            try:
                for record in play(referee.stage, batches, referee=referee):
                    self.round += 1
                    stopping = stop()
                    self._keep(referee, record, stopping)
                    yield Step(self.round, referee.stage.name, record, self.latest_sheet)
                    if stopping:
                        return
                return
            except NonFiniteError as error:
                self._roll_back(referee, error)

    def _keep(self, referee: Referee, record: Round, stopping: bool) -> None:
        last = referee.round == referee.rounds
        if self.round % self.log_every == 0 or last or record.skipped or self.round == 1:
            self._log(self._line(referee, record))
        if self.round % self.every == 0 or last:
            self._score()
        if self.round % self.every == 0 or last:
            self._check(last)
        if self.round % self.every == 0 or last or self.round in self.early:
            self._sheet()
        struck = any(referee.strikes.values())  # a roll-back should lead to a state from before the trouble
        if (self.round % self.every == 0 and not struck) or last or stopping:
            self._save(referee)

    def _line(self, referee: Referee, record: Round) -> dict[str, Any]:
        return {
            "kind": "round",
            "round": self.round,
            "stage": referee.stage.name,
            "terms": record.terms,
            "gradient_norms": record.gradient_norms,
            "seconds": round(record.seconds, 6),
            "images_per_second": round(record.images_per_second, 1),
            "images": record.images,
            "skipped": record.skipped,
            "time": round(time.time(), 3),
        }

    def _log(self, line: dict[str, Any]) -> None:
        self.folder.log(line)
        if self.sink:
            self.sink.write(line)

    def _score(self) -> None:
        estimate = score(self.game, self.data)
        self._scored = (self.round, estimate.value if estimate else None)
        if estimate:
            self._log({"kind": "score", "round": self.round, **estimate.to_dict()})

    @cached_property
    def checker(self) -> Checker:
        """What checks the model at checkpoints; imported late, since statistics take a second to load."""
        from adversaria.runs.checking import Checker

        return Checker(self.folder, self.data)

    def _check(self, last: bool) -> None:
        if self.checker.due(last):
            for line in self.checker.check(self.game, self.round):
                self._log(line)

    def _sheet(self) -> None:
        n, columns = sheet_size(self.game, self.data)
        samples = self.game.sample(n, given_for(self.game, self.data, n), seed=self.config.seed)
        spec = self.data.spec
        beside = spec.to_user(self.data.examples(min(n, self.data.size()), seed=0).x) if spec.kind == "points" else None
        picture = sheet(spec, spec.to_user(samples), columns, beside)
        self.latest_sheet = self.folder.write(f"samples/round-{self.round:08d}.png", picture)

    def _save(self, referee: Referee) -> None:
        tensors, facts = capture(self.game, referee)
        facts |= {"recipe": self.config.recipe, "fields": self.config.fields, "torch": torch.__version__,
                  "threads": torch.get_num_threads()}  # fmt: skip
        value = self._scored[1] if self._scored[0] == self.round else None
        checkpoints.write(self.folder, checkpoints.Checkpoint(self.round, tensors, facts), value)

    def _restore(self, referee: Referee, checkpoint: checkpoints.Checkpoint) -> None:
        restore(self.game, referee, checkpoint.tensors, checkpoint.facts)
        self.round = checkpoint.round
        if checkpoint.facts["torch"] != torch.__version__:
            self._event("not-exact", f"the checkpoint was written with torch {checkpoint.facts['torch']}, "
                        f"this is {torch.__version__}: the run goes on, its bits may differ")  # fmt: skip

    def _roll_back(self, referee: Referee, error: NonFiniteError) -> None:
        slowdown = referee.slowdown / 2
        if slowdown < 0.5**ROLLBACKS:
            self._event("broke-down", str(error))
            raise UserError(f"{error}; rolled back {ROLLBACKS} times at halved rates without success") from None
        checkpoint = checkpoints.newest(self.folder)
        if checkpoint is None or checkpoint.facts["stage"] != referee.stage.name:  # every stage begins with one
            raise UserError(f"{error}; and this stage's checkpoints are damaged: train anew") from None
        self._event("rolled-back", f"{error}; back to round {checkpoint.round} at {slowdown:g} of the learning rates")
        self._restore(referee, checkpoint)
        referee.slowdown = slowdown
        referee.strikes = dict.fromkeys(referee.strikes, 0)

    def _event(self, event: str, text: str = "", round: int | None = None) -> None:
        self.folder.event(self.round if round is None else round, event, text)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Inside the block a disk that is full or can't be written to is one clear line.

    Raises:
        UserError: in place of the operating system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk of {path} is full; the checkpoints written before are whole: "
                            f"free some space, then 'adversaria resume {path}'") from None  # fmt: skip
        where = error.filename or path
        raise UserError(f"{where}: {error.strerror}; mend that, or choose another --out") from None
