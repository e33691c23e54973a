"""Diagnosing a run: what its numbers, its players and its log say, as verdicts; diagnosis.json."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adversaria.data import Dataset
from adversaria.diagnose.critics import gradient_probe, held_out_gap
from adversaria.diagnose.periods import cycling
from adversaria.diagnose.verdict import Evidence, Verdict
from adversaria.diagnose.whole import verdicts
from adversaria.errors import UserError
from adversaria.evaluation.sets import Sets
from adversaria.evaluation.suite import QUICK, Measured, measure
from adversaria.game import Game
from adversaria.metrics.estimate import Estimate, Null
from adversaria.runs.evaluation import FORMAT, plain, round_
from adversaria.runs.folder import RunFolder

Reasons = dict[str, str]
SCORED = 2_000
"""Examples of each set that a discriminator scores, at most."""
PROBE = 120
"""Moves of the fresh discriminator."""


def of_play(game: Game, data: Dataset, sets: Sets, batch: int, rounds: Sequence[Mapping[str, Any]], *,
            probe: bool = True) -> tuple[dict[str, Estimate], Reasons]:  # fmt: skip
    """What the players and the log say; and why a number can't be had."""
    found: dict[str, Estimate] = {}
    reasons: Reasons = {}

    def attempt(name: str, measured: Callable[[], Estimate]) -> None:
        try:
            found[name] = measured()
        except UserError as error:
            reasons[name] = str(error).removeprefix("not applicable: ")

    attempt("held-out-gap", lambda: _gap(game, data, sets))
    attempt("cycling", lambda: _cycle(rounds))
    if probe:
        attempt("gradient-slope", lambda: _slope(game, data, batch, sets.seed))
    return found, reasons


def _gap(game: Game, data: Dataset, sets: Sets) -> Estimate:
    n = min(SCORED, len(sets.generated_x), data.size("train"), data.size("valid"))
    train, valid = (data.examples(n, split, seed=sets.seed).x for split in ("train", "valid"))
    return held_out_gap(game, train=train, valid=valid, generated=sets.generated_x[:n]).r_v


def _slope(game: Game, data: Dataset, batch: int, seed: int) -> Estimate:
    batches = data.batches(min(batch, data.size("train")), seed=seed, device=game.device)
    return gradient_probe(game, batches, steps=PROBE, seed=seed).slope


def _cycle(rounds: Sequence[Mapping[str, Any]]) -> Estimate:
    """Of the loss of the first player of the last stage: a discriminator's, where there is one."""
    last = [r for r in rounds if r.get("stage") == rounds[-1].get("stage")] if rounds else []
    players = list(last[-1]["terms"]) if last else []
    if len(players) < 2:
        raise UserError("one player can't go round another")
    told = [(r["round"], sum(r["terms"][players[0]].values())) for r in last if players[0] in r["terms"]]
    kept = [(at, value) for at, value in told if np.isfinite(value)]
    return cycling(rounds=[at for at, _ in kept], values=[value for _, value in kept])


def diagnose(folder: RunFolder, game: Game, data: Dataset, sets: Sets, measured: Mapping[str, Estimate], batch: int
             ) -> list[Verdict]:  # fmt: skip
    """Every verdict on the run as its newest checkpoint stands."""
    rounds = folder.records("round")
    found, reasons = of_play(game, data, sets, batch, rounds)
    return verdicts({**measured, **found}, rounds=rounds, scores=folder.records("score"),
                    events=folder.records("event"), reasons=reasons)  # fmt: skip


def diverged(folder: RunFolder, why: str) -> list[Verdict]:
    """Every verdict on a model whose samples aren't finite: it diverged, and no other fault can be looked for."""
    said = verdicts({}, rounds=folder.records("round"), scores=folder.records("score"), events=folder.records("event"))
    found: list[Verdict] = []
    for verdict in said:
        if verdict.name == "divergence":
            evidence = (Evidence("samples", why, "for"), *verdict.evidence)
            advice = verdict.advice or "a lower learning rate, clipped gradients"
            found.insert(0, Verdict("divergence", "fail", why, evidence, advice, verdict.caveat))
        else:
            found.append(Verdict(verdict.name, "not applicable", "the model diverged: there is nothing to measure"))
    return found


def check(sets: Sets, folder: RunFolder, nulls: dict[str, Null], draws: int) -> tuple[Measured, list[Verdict]]:
    """The cheap part of evaluation and diagnosis, as it runs while training."""
    assert sets.game is not None
    measured = measure(sets, QUICK, draws, nulls)
    rounds = folder.records("round")
    found, reasons = of_play(sets.game, sets.data, sets, 0, rounds, probe=False)
    reasons["gradient-slope"] = "not probed while training; 'adversaria diagnose' does"
    said = verdicts({**measured.estimates, **found}, rounds=rounds, scores=folder.records("score"),
                    events=folder.records("event"), reasons=reasons)  # fmt: skip
    return measured, said


def account(said: Sequence[Verdict], round: int | None) -> dict[str, Any]:
    """What diagnosis.json holds."""
    return {"format": FORMAT, "round": round, "time": round_(time.time()),
            "verdicts": [plain(verdict.to_dict()) for verdict in said]}  # fmt: skip
