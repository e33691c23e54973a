"""Comparing runs: one table under one protocol, paired where it can be, that says where it can't tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from adversaria.api.agreement import agreement
from adversaria.api.run import Run
from adversaria.diagnose.whole import verdicts
from adversaria.errors import UserError
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.likelihoods import CODED
from adversaria.evaluation.sets import Sets
from adversaria.evaluation.suite import METRICS, Measured, measure, wanted
from adversaria.metrics.estimate import Estimate, Null
from adversaria.metrics.paired import Difference, of_two, over_seeds
from adversaria.metrics.two_sample import holm
from adversaria.runs import evaluation
from adversaria.runs.evaluation import plain

ALPHA = 0.05
PRIMARY = "frechet"
"""The metric that decides, declared before anything is measured; the others are secondary, corrected by Holm."""
SKIPPED = ("path-length", "wasserstein")
"""Metrics left out where none are asked for: they cost more than they tell here."""


class Group:
    """Runs that are seeds of one system, or a single run."""

    def __init__(self, runs: Sequence[Run], label: str) -> None:
        self.runs, self.label = list(runs), label
        self.measured: list[Measured] = []
        self.sets: list[Sets] = []

    def of(self, key: str) -> list[Estimate]:
        """The number of every seed that has it."""
        return [m.estimates[key] for m in self.measured if key in m.estimates]

    def cell(self, key: str) -> Estimate | None:
        """The number; over seeds their mean, with the standard error between seeds."""
        told = self.of(key)
        if not told or len(told) < len(self.runs):
            return None
        if len(told) == 1:
            return told[0]
        values = [estimate.value for estimate in told]
        middle = sum(values) / len(values)
        spread = math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - 1))
        first = told[0]
        return Estimate(
            first.name, middle, spread / math.sqrt(len(values)), first.n, first.unit,
            {k: v for k, v in first.protocol.items()} | {"seeds": len(values)}, first.lower_is_better,
            bias="mean over seeds", null=first.null, details={"per_seed": values},
        )  # fmt: skip

    def why(self, key: str) -> str:
        """Why there is no number."""
        owner = next((name for name, metric in METRICS.items() if key in metric.gives), key)
        said = [m.undefined[owner] for m in self.measured if owner in m.undefined]
        return said[0] if said else "not measured"


def compare(
    runs: Sequence[Run], *, seeds: bool = False, n: int | None = None, metrics: Iterable[str] | None = None,
    features: str | None = None, against: str = "test", seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Measures all runs under one protocol and compares every pair; JSON-ready, `report.compare` makes a page of it.

    Args:
        runs: of the same data.
        seeds: runs of the same recipe and hyperparameters are seeds of one system, and systems are compared, paired by
            seed.
        n: samples of each, as in `Run.evaluate`.
        metrics: names; without, all that apply.
        features: as in `Run.evaluate`.
        against: the reference's split.
        seed: of samples and subsets.

    Raises:
        UserError: for fewer than two, one given twice, runs whose data differ, or one that diverged.
    """
    asked = [name for name in METRICS if name not in SKIPPED] if metrics is None else list(metrics)
    wanted(asked)
    groups = grouped(runs, seeds)
    data = _same_data(runs)
    chosen = features_for(data, features)
    nulls: dict[str, Null] = {}
    for group in groups:
        for run in group.runs:
            run.use_its_threads()
            try:
                sets = evaluation.sets_of(run.game, data, chosen, n=n, against=against, seed=seed)
            except evaluation.DivergedError as error:
                raise UserError(f"{run.path}: {error}; or leave it out") from None
            group.measured.append(measure(sets, asked, evaluation.draws_for(len(sets.real)), nulls))
            group.sets.append(sets)
    keys = [key for metric in METRICS.values() for key in metric.gives if any(group.of(key) for group in groups)]
    rows = _corrected([_row(key, groups, seeds) for key in keys], [group.label for group in groups])
    first = groups[0].sets[0]
    count = min(len(group.runs) for group in groups)
    return {
        "format": evaluation.FORMAT,
        "primary": PRIMARY if PRIMARY in keys else keys[0] if keys else None,
        "protocol": plain(first.facts) | {"n_generated": len(first.generated_x), "n_real": len(first.real_x)},
        "features": {"name": chosen.name, "hash": chosen.hash, "d": chosen.d, "note": chosen.note},
        "runs": [_about(group) for group in groups],
        "rows": rows,
        "verdicts": _verdicts(groups),
        "warnings": [CODED] if data.lossy and any(row["unit"] == "bits/dim" for row in rows) else [],
        "agreement": agreement([group.label for group in groups], [group.sets for group in groups], chosen),
        "seeds": {"n": count, "min_p": 2.0 ** (1 - count)} if seeds else None,
    }


def grouped(runs: Sequence[Run], seeds: bool) -> list[Group]:
    """One group a run, or one a system.

    Raises:
        UserError: where that leaves fewer than two, or seeds don't match.
    """
    places = [run.path.resolve() for run in runs]
    if twice := [run.path for run, place in zip(runs, places, strict=True) if places.count(place) > 1]:
        raise UserError(f"{twice[0]} is given {len(twice)} times; give each run once")
    if seeds:
        systems: dict[str, list[Run]] = {}
        for run in sorted(runs, key=lambda run: run.folder.config.seed):
            fields = {k: v for k, v in run.recipe.fields().items() if k != "rounds"}
            systems.setdefault(f"{run.folder.config.recipe} {fields}", []).append(run)
        together = list(systems.values())
    else:
        together = [[run] for run in runs]
    names = [_name(runs[0]) for runs in together]
    labels = [name if names.count(name) == 1 else some[0].path.name for name, some in zip(names, together, strict=True)]
    if len(set(labels)) < len(labels):
        labels = [str(some[0].path) for some in together]
    groups = [Group(some, label) for some, label in zip(together, labels, strict=True)]
    if len(groups) < 2:
        raise UserError(f"{len(groups)} {'system' if seeds else 'run'} can't be compared; give two or more")
    if seeds and len({tuple(run.folder.config.seed for run in group.runs) for group in groups}) > 1:
        told = "; ".join(f"{g.label}: {', '.join(str(run.folder.config.seed) for run in g.runs)}" for g in groups)
        raise UserError(f"systems have different seeds ({told}), so they can't be paired; train the missing ones")
    return groups


def _name(run: Run) -> str:
    name = run.folder.config.recipe
    return name.rsplit("/", 1)[-1].removesuffix(".py") if name.endswith(".py") else name


def _same_data(runs: Sequence[Run]) -> Any:
    first = runs[0]
    for run in runs[1:]:
        if run.folder.config.fingerprint != first.folder.config.fingerprint:
            told = [f"{r.path} on {r.data.name} ({r.folder.config.fingerprint[:12]})" for r in (first, run)]
            raise UserError(f"runs were trained on different data: {told[0]}, {told[1]}; compare runs on the same")
    return first.data


def _row(key: str, groups: list[Group], seeds: bool) -> dict[str, Any]:
    cells = [group.cell(key) for group in groups]
    known = [cell for cell in cells if cell is not None]
    kinds = {cell.protocol.get("kind") for cell in known}
    pairs = []
    for a, b in combinations(range(len(groups)), 2):
        found = _difference(key, groups[a], groups[b], seeds)
        if isinstance(found, str):
            pairs.append({"a": a, "b": b, "state": "inconclusive", "why": found, "p": None})
        elif found is not None:
            told = {"difference": found.value, "error": found.error, "p": found.p, "least_p": found.least_p}
            pairs.append({"a": a, "b": b, **told, "detectable": found.detectable, "paired": found.paired})
    return {
        "metric": key, "name": known[0].name if known else key, "unit": known[0].unit if known else "",
        "lower_is_better": known[0].lower_is_better if known else None,
        "kinds": sorted(map(str, kinds)) if len(kinds) > 1 else None,
        "cells": [plain(cell.to_dict()) if cell is not None else {"undefined": group.why(key)}
                  for cell, group in zip(cells, groups, strict=True)],
        "pairs": pairs,
    }  # fmt: skip


def _difference(key: str, a: Group, b: Group, seeds: bool) -> Difference | str | None:
    x, y = a.of(key), b.of(key)
    if len(x) < len(a.runs) or len(y) < len(b.runs):
        return None
    try:
        if seeds and len(x) > 1:
            if x[0].protocol.get("kind") != y[0].protocol.get("kind"):
                return f"one is {x[0].protocol.get('kind')}, the other {y[0].protocol.get('kind')}"
            return over_seeds([e.value for e in x], [e.value for e in y])
        return of_two(x[0], y[0])
    except UserError as error:
        return str(error)


def _corrected(rows: list[dict[str, Any]], labels: list[str]) -> list[dict[str, Any]]:
    """Holm's correction: over pairs for the primary metric, over everything else together; then each pair's state."""
    for some in ([r for r in rows if r["metric"] == PRIMARY], [r for r in rows if r["metric"] != PRIMARY]):
        tested = [(row, pair) for row in some for pair in row["pairs"] if pair.get("p") is not None]
        for (row, pair), p in zip(tested, holm([pair["p"] for _, pair in tested]) if tested else [], strict=True):
            lower = row["lower_is_better"]
            pair["p_holm"] = p
            better = (pair["difference"] < 0) == bool(lower)
            pair["state"] = "inconclusive" if p >= ALPHA or lower is None else "better" if better else "worse"
    for row in rows:
        row["best"] = _best(row)
        row["verdict"] = _sentence(row, labels)
    return rows


def _best(row: dict[str, Any]) -> int | None:
    """The run that is better than every other that has this number; None where none is."""
    known = [i for i, cell in enumerate(row["cells"]) if "undefined" not in cell]
    wins = {i: 0 for i in known}
    for pair in row["pairs"]:
        if pair.get("state") in ("better", "worse"):
            wins[pair["a"] if pair["state"] == "better" else pair["b"]] += 1
    return next((i for i in known if len(known) > 1 and wins[i] == len(known) - 1), None)


def _sentence(row: dict[str, Any], labels: list[str]) -> str:
    tested = [pair for pair in row["pairs"] if pair.get("p") is not None]
    if row["kinds"]:
        return f"not compared: {' against '.join(row['kinds'])}"
    if not tested:
        return next((pair["why"] for pair in row["pairs"] if "why" in pair), "nothing to compare with")
    if row["lower_is_better"] is None:
        return "neither direction is better"
    told = [pair for pair in tested if pair["state"] != "inconclusive"]
    if len(told) > 3:
        return f"{len(told)} of {len(tested)} pairs differ"
    if told:
        ways = [(pair["a"], pair["b"]) if pair["state"] == "better" else (pair["b"], pair["a"]) for pair in told]
        return "; ".join(f"{labels[a]} better than {labels[b]}" for a, b in ways)
    least = max(pair["least_p"] for pair in tested)
    if least >= ALPHA:
        return f"inconclusive: this many seeds can't give p below {least:.3g}; six can"
    nearest = min(tested, key=lambda pair: float(pair["p"]))
    if nearest["p"] < ALPHA:
        return f"inconclusive: p = {nearest['p']:.2g} by itself, {nearest['p_holm']:.2g} among so many numbers (Holm)"
    least_seen = max(pair["detectable"] for pair in tested)
    return f"inconclusive: a difference of {least_seen:.2g} would have shown" if least_seen > 0 else "all equal"


def _about(group: Group) -> dict[str, Any]:
    config = group.runs[0].folder.config
    taken = [spent(run) for run in group.runs]
    rounds = [run.round for run in group.runs]
    return {
        "path": str(group.runs[0].path), "paths": [str(run.path) for run in group.runs], "label": group.label,
        "recipe": config.recipe, "data": group.runs[0].data.name,
        "seeds": [run.folder.config.seed for run in group.runs] if len(group.runs) > 1 else None,
        "rounds": round(sum(rounds) / len(rounds)), "seconds": round(sum(taken) / len(taken), 1), "note": "",
    }  # fmt: skip


def spent(run: Run) -> float:
    """Seconds of play, from those of the rounds that were logged: every one, or one of several."""
    logged = [float(record.get("seconds", 0.0)) for record in run.history()]
    played = max((record["round"] for record in run.history()), default=0)
    return sum(logged) / len(logged) * played if logged else 0.0


def _verdicts(groups: list[Group]) -> dict[str, list[str]]:
    """State of the verdicts on samples and latents, per system; over seeds, the commonest with how many agreed."""
    found: dict[str, list[str]] = {}
    for group in groups:
        states: dict[str, list[str]] = {}
        for measured in group.measured:
            for verdict in verdicts(measured.estimates):
                states.setdefault(verdict.name, []).append(verdict.state)
        for name, told in states.items():
            common = max(set(told), key=told.count)
            said = common if len(told) == 1 else f"{common} ({told.count(common)} of {len(told)})"
            found.setdefault(name, []).append(said)
    return {name: told for name, told in found.items() if any(not s.startswith("not applicable") for s in told)}
