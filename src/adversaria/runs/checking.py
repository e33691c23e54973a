"""Checks at checkpoints while a run trains: the cheap part of evaluation and diagnosis, within a tenth of its time."""

from __future__ import annotations

import time
from typing import Any

from adversaria.data import Dataset
from adversaria.diagnose.verdict import Verdict
from adversaria.errors import UserError
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.sets import Sets, prepare
from adversaria.game import Game
from adversaria.metrics.estimate import Null
from adversaria.runs import diagnosis
from adversaria.runs.evaluation import DivergedError, plain, samples_of
from adversaria.runs.folder import RunFolder

SAMPLES = 500
TRAIN = 5_000
"""Training examples that copies are looked for among."""
NULLS = 10
SHARE = 0.1
"""Part of the training time that checks may take; the last one is always made."""
FIRST = 1.0
"""Seconds that the first check is taken to cost; those after it, what the one before did."""


class Checker:
    """Measures a model against the validation split in principal components, and says what it finds."""

    def __init__(self, folder: RunFolder, data: Dataset) -> None:
        self.folder, self.data = folder, data
        self.n = min(SAMPLES, data.size("valid"))
        self.started, self.spent, self.cost = time.monotonic(), 0.0, FIRST
        self._base: Sets | None = None
        self._nulls: dict[str, Null] = {}

    def due(self, last: bool) -> bool:
        """Whether there is something to measure, and time for it."""
        affordable = self.spent + self.cost <= SHARE * (time.monotonic() - self.started)
        return self.n >= 20 and (last or affordable)

    def check(self, game: Game, round: int) -> list[dict[str, Any]]:
        """Records for the log: scores and verdicts."""
        begun = time.monotonic()
        try:
            measured, said = diagnosis.check(self._sets(game), self.folder, self._nulls, NULLS)
            scores = [_score(round, key, estimate.to_dict()) for key, estimate in measured.estimates.items()]
        except DivergedError as error:
            scores, said = [], diagnosis.diverged(self.folder, str(error))
        except UserError as error:  # training goes on: these data can't be checked
            scores, said = [], [Verdict("fit", "not applicable", str(error))]
        self.cost = time.monotonic() - begun
        self.spent += self.cost
        return scores + [
            {"kind": "verdict", "round": round, "name": v.name, "state": v.state, "sentence": v.sentence} for v in said
        ]

    def _sets(self, game: Game) -> Sets:
        x = samples_of(game, self.data, self.n)
        if self._base is None:
            features = features_for(self.data, None if self.data.spec.kind == "points" else "pca")
            self._base = prepare(self.data, x, features, against="valid", most=TRAIN, game=game)
            return self._base
        return self._base.with_samples(x, game)


def _score(round: int, metric: str, values: dict[str, Any]) -> dict[str, Any]:
    values.pop("details", None)
    return {"kind": "score", "round": round, "metric": metric, **plain(values)}
