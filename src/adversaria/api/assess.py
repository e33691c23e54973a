"""What a run is worth: its evaluation and its diagnosis, kept in its folder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from adversaria.diagnose.verdict import Verdict
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.sets import Sets
from adversaria.evaluation.suite import Measured, measure, wanted
from adversaria.runs import diagnosis, evaluation, galleries
from adversaria.runs.training import storing

if TYPE_CHECKING:
    from adversaria.api.run import Run


def evaluate(run: Run, n: int | None, metrics: Iterable[str] | None, features: str | None, against: str, seed: int
             ) -> dict[str, Any]:  # fmt: skip
    """Measures, writes evaluation.json and its pictures, and returns what was written."""
    asked = None if metrics is None else list(metrics)
    wanted(asked or ())
    sets = _sets(run, n, features, against, seed)
    return _evaluated(run, sets, measure(sets, asked, evaluation.draws_for(len(sets.real))))


def diagnose(run: Run, n: int | None, features: str | None, seed: int) -> list[Verdict]:
    """Measures everything, writes evaluation.json and diagnosis.json, and returns the verdicts."""
    sets = _sets(run, n, features, "test", seed)
    measured = measure(sets, None, evaluation.draws_for(len(sets.real)))
    _evaluated(run, sets, measured)
    said = diagnosis.diagnose(run.folder, run.game, run.data, sets, measured.estimates, run.recipe.batch)
    with storing(run.path):
        evaluation.keep(run.folder, "diagnosis.json", diagnosis.account(said, run.round))
    return said


def _sets(run: Run, n: int | None, features: str | None, against: str, seed: int) -> Sets:
    run.use_its_threads()
    chosen = features_for(run.data, features)
    return evaluation.sets_of(run.game, run.data, chosen, n=n, against=against, seed=seed)


def _evaluated(run: Run, sets: Sets, measured: Measured) -> dict[str, Any]:
    told = evaluation.account(sets, measured, run.round) | {"run": str(run.path)}
    with storing(run.path):
        told["pictures"] = galleries.make(run.folder, sets, measured.estimates)
        evaluation.keep(run.folder, "evaluation.json", told)
    return told
