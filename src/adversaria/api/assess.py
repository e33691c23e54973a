"""What a run is worth: its evaluation and its diagnosis, kept in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adversaria.data import Batch
from adversaria.diagnose.duality import duality_gap
from adversaria.diagnose.dynamics import jacobian_eigenvalues, rotation_index
from adversaria.diagnose.path import PathAngle, path_angle
from adversaria.diagnose.verdict import Verdict
from adversaria.errors import UserError
from adversaria.evaluation.annealed import annealed
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.sets import Sets
from adversaria.evaluation.suite import Measured, measure, wanted
from adversaria.metrics.support import confirmed_support
from adversaria.runs import checkpoints, diagnosis, evaluation, galleries
from adversaria.runs.training import storing

if TYPE_CHECKING:
    from adversaria.api.run import Run


def evaluate(run: Run, n: int | None, metrics: Iterable[str] | None, features: str | None, against: str, seed: int,
             anneal: int, sigma: float | None, temperatures: int) -> dict[str, Any]:  # fmt: skip
    """Measures, adds to evaluation.json and its pictures, and returns what was measured."""
    asked = metrics.split(",") if isinstance(metrics, str) else None if metrics is None else list(metrics)
    wanted(asked or ())
    sets = _sets(run, n, features, against, seed)
    slow = annealed(sets, anneal, sigma, temperatures) if anneal else {}  # first: it may be refused
    found = measure(sets, asked, evaluation.draws_for(len(sets.real)))
    return _evaluated(run, sets, replace(found, estimates={**found.estimates, **slow}))


def confirm(run: Run, duplicates: int) -> dict[str, Any]:
    """Adds to evaluation.json what a person saw in the gallery of birthday pairs, and returns it.

    Raises:
        UserError: where there is no such gallery yet.
    """
    told = run.folder.read_json("evaluation.json")
    if not isinstance(told, dict) or "birthday-pairs" not in told.get("pictures", {}):
        raise UserError(
            f"{run.path} has no gallery of birthday pairs; 'adversaria evaluate {run.path}' makes one of images"
        )
    found = confirmed_support(duplicates=duplicates, samples=told["n"], shown=galleries.PAIRS)
    estimate = {"metric": "birthday-confirmed"} | evaluation.plain(found.to_dict())
    told["estimates"] = [e for e in told["estimates"] if e["metric"] != "birthday-confirmed"] + [estimate]
    with storing(run.path):
        evaluation.keep(run.folder, "evaluation.json", told)
    return told


def diagnose(run: Run, n: int | None, features: str | None, seed: int) -> list[Verdict]:
    """Measures everything, writes evaluation.json and diagnosis.json, and returns the verdicts."""
    try:
        sets = _sets(run, n, features, "test", seed)
    except evaluation.DivergedError as error:
        said = diagnosis.diverged(run.folder, str(error))
    else:
        measured = measure(sets, None, evaluation.draws_for(len(sets.real)))
        _evaluated(run, sets, measured)
        said = diagnosis.diagnose(run.folder, run.game, run.data, sets, measured.estimates, run.recipe.batch)
    with storing(run.path):
        evaluation.keep(run.folder, "diagnosis.json", diagnosis.account(said, run.round))
    return said


def dynamics(run: Run, seed: int) -> dict[str, str]:
    """The game's dynamics at the newest checkpoint, a sentence each; what can't be had says why."""
    run.use_its_threads()
    game, data = run.game, run.data
    size = min(run.recipe.batch, data.size("valid"))
    batches = data.batches(size, seed=seed, device=game.device)
    held_out = data.batches(size, seed=seed, split="valid", device=game.device)
    told: dict[str, str] = {}

    def attempt(name: str, look: Callable[[], Any]) -> None:
        try:
            told[name] = str(look())
        except UserError as error:
            told[name] = f"not applicable: {str(error).removeprefix('not applicable: ')}"

    attempt("eigenvalues", lambda: jacobian_eigenvalues(game, batches.at(0), seed=seed))
    attempt("rotation", lambda: rotation_index(game, [batches.at(i) for i in range(3)], seed=seed))
    attempt("path", lambda: _path(run, batches.at(0), seed))
    attempt("duality gap", lambda: duality_gap(game, batches, [held_out.at(i) for i in range(8)], seed=seed))
    diagnosis_told = run.folder.read_json("diagnosis.json")
    if isinstance(diagnosis_told, dict):
        with storing(run.path):
            evaluation.keep(run.folder, "diagnosis.json", diagnosis_told | {"dynamics": told})
    return told


def _path(run: Run, batch: Batch, seed: int) -> PathAngle:
    names = checkpoints.names(run.folder)
    if len(names) < 2:
        raise UserError("needs two checkpoints, and there is one")
    first, last = checkpoints.read(run.folder, names[-2]), checkpoints.read(run.folder, names[-1])
    if first.facts["stage"] != last.facts["stage"]:
        raise UserError("the last two checkpoints belong to different stages")
    return path_angle(run.game, batch, start=first.tensors, end=last.tensors, seed=seed)


def _sets(run: Run, n: int | None, features: str | None, against: str, seed: int) -> Sets:
    run.use_its_threads()
    chosen = features_for(run.data, features)
    return evaluation.sets_of(run.game, run.data, chosen, n=n, against=against, seed=seed)


def _evaluated(run: Run, sets: Sets, measured: Measured) -> dict[str, Any]:
    told = evaluation.account(sets, measured, run.round) | {"run": str(run.path)}
    with storing(run.path):
        told["pictures"] = galleries.make(run.folder, sets, measured.estimates)
        whole = evaluation.joined(run.folder.read_json("evaluation.json"), told)
        evaluation.keep(run.folder, "evaluation.json", whole)
    return told
