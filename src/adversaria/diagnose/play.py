"""Verdicts on the play itself: divergence, cycling, an overfitted discriminator, vanishing gradients."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from adversaria.diagnose.samples import shown, side_of
from adversaria.diagnose.verdict import Evidence, Verdict, votes
from adversaria.metrics.estimate import Estimate

Record = Mapping[str, Any]

OVERFIT, SOUND = 0.5, 0.3
"""Parts of the way from training data to samples that the discriminator's score of held-out data has gone."""
SLOPE = -1.0
"""Decades the generator's gradient loses in 1000 moves of a fresh discriminator."""
CERTAIN = 0.99
"""Accuracy of a fresh discriminator that leaves the generator nothing."""
BLIND = 0.6
"""Accuracy of a fresh discriminator below which the probe says nothing."""
EXPLODED = 100.0
"""Gradient norms at the end against their median before."""
LOST = 1.5
"""The last score against the best, where it is also many errors worse."""


def divergence(rounds: Sequence[Record], scores: Sequence[Record], events: Sequence[Record]) -> Verdict:
    """Whether play broke down, blew up, or lost what it had."""
    broke = [e for e in events if e.get("event") in ("broke-down", "rolled-back")]
    skipped = sum(int(n) for r in rounds for n in (r.get("skipped") or {}).values())
    evidence = [
        Evidence("roll-backs", f"{len(broke)}", "for" if broke else "against"),
        Evidence("moves that were not finite", f"{skipped}", "for" if skipped > 0.001 * len(rounds) + 2 else "against"),
    ]
    for player, growth in _growth(rounds).items():
        said = f"{growth:.2g} times their median before, in the last tenth"
        evidence.append(Evidence(f"gradient norms of {player}", said, "for" if growth > EXPLODED else "against"))
    if (worse := _worse(scores)) is not None:
        factor, errors, name = worse
        lost = factor > LOST and errors > 5
        said = f"the last is {factor:.2f} times the best, {errors:.1f} standard errors away"
        evidence.append(Evidence(name, said, "for" if lost else "against"))
    found = tuple(evidence)
    advice = "a lower learning rate, clipped gradients (--adam.clip 1), a gradient penalty; the best checkpoint is kept"
    caveat = "The best of many noisy scores flatters, so that the last one always looks a little worse."
    if not rounds:
        return Verdict("divergence", "not applicable", "no round has been logged")
    if any(e.get("event") == "broke-down" for e in events) or votes(found, "for"):
        named = ", ".join(item.name for item in found if item.speaks == "for")
        return Verdict("divergence", "fail", f"seen in {named}", found, advice, caveat)
    return Verdict("divergence", "pass", "losses and gradients stayed finite and bounded", found, advice, caveat)


def _growth(rounds: Sequence[Record]) -> dict[str, float]:
    """Median gradient norm of each player in the last tenth over that before, within its last stage."""
    stage = rounds[-1].get("stage") if rounds else None
    norms: dict[str, list[float]] = {}
    for record in rounds:
        for player, norm in (record.get("gradient_norms") or {}).items():
            if record.get("stage") == stage and isinstance(norm, int | float) and math.isfinite(norm):
                norms.setdefault(player, []).append(float(norm))
    found = {}
    for player, values in norms.items():
        cut = len(values) - max(1, len(values) // 10)
        before = median(values[:cut]) if cut >= 10 else 0.0
        if before > 0:
            found[player] = median(values[cut:]) / before
    return found


def _worse(scores: Sequence[Record]) -> tuple[float, float, str] | None:
    """The last score over the best one, and how many of their errors apart they are."""
    last = next((s for s in reversed(scores) if s.get("metric") in (None, "score")), None)
    if last is None or last.get("lower_is_better") is not True:
        return None
    same = [s for s in scores if s.get("name") == last.get("name") and _known(s)]
    if len(same) < 3 or not _known(last):
        return None
    best = min(same, key=lambda s: float(s["value"]))
    error = math.hypot(float(last.get("error") or 0), float(best.get("error") or 0))
    apart = float(last["value"]) - float(best["value"])
    if float(best["value"]) <= 0 or error <= 0:
        return None
    return float(last["value"]) / float(best["value"]), apart / error, str(last["name"])


def _known(score: Record) -> bool:
    return isinstance(score.get("value"), int | float) and math.isfinite(score["value"])


def discriminator_overfit(measured: Mapping[str, Estimate], reason: str = "") -> Verdict:
    """Whether the discriminator knows its training data by heart."""
    name, found = "discriminator overfit", measured.get("held-out-gap")
    if found is None:
        return Verdict(name, "not applicable", reason or "the model has no discriminator that scores examples")
    low, high = found.interval
    advice = "more data, augmentation of what the discriminator sees, a smaller discriminator, a gradient penalty"
    caveat = "It says nothing while the discriminator's scores of data and samples hardly differ."
    said = f"{shown(found)}; 0 where held-out data score like training data, 1 where they score like samples"
    if low > OVERFIT:
        evidence = (Evidence("held-out gap", said, "for"),)
        sentence = f"held-out data score {found.value:.0%} of the way from training data to samples"
        return Verdict(name, "fail", sentence, evidence, advice, caveat)
    if high < OVERFIT and found.value < SOUND:
        evidence = (Evidence("held-out gap", said, "against"),)
        sentence = f"held-out data score {max(found.value, 0):.0%} of the way from training data to samples"
        return Verdict(name, "pass", sentence, evidence, advice, caveat)
    return Verdict(name, "inconclusive", "its gap is neither small nor large", (Evidence("held-out gap", said),),
                   advice, caveat)  # fmt: skip


def vanishing_gradient(measured: Mapping[str, Estimate], reason: str = "") -> Verdict:
    """Whether a discriminator that is trained on leaves the generator without a gradient."""
    name, found = "vanishing gradient", measured.get("gradient-slope")
    if found is None:
        return Verdict(name, "not applicable", reason or "the model has no generator that learns from a discriminator")
    low, high = found.interval
    accuracy = float(found.details.get("accuracy", math.nan))
    evidence = (
        Evidence("slope", f"{shown(found)} decades in 1000 moves of a fresh discriminator; below 0 it falls",
                 side_of(high < SLOPE, low > SLOPE)),
        Evidence("accuracy of a fresh discriminator", f"{accuracy:.1%}",
                 side_of(accuracy > CERTAIN, accuracy < CERTAIN)),
    )  # fmt: skip
    advice = "the non-saturating loss, a critic with a gradient penalty (wgan-gp), noise on the discriminator's input"
    caveat = "The probe is short: a slope over a few hundred moves says little about thousands."
    if votes(evidence, "for") == 2:
        sentence = f"its gradient falls by {-found.value:.1f} decades in 1000 moves"
        return Verdict(name, "fail", sentence, evidence, advice, caveat)
    if accuracy < BLIND:
        return Verdict(name, "inconclusive", "the fresh discriminator learned too little for a test", evidence,
                       advice, caveat)  # fmt: skip
    if evidence[0].speaks == "against":
        return Verdict(name, "pass", "the generator's gradient holds while a fresh discriminator learns", evidence,
                       advice, caveat)  # fmt: skip
    return Verdict(name, "inconclusive", "the gradient falls, yet the discriminator is not certain", evidence, advice,
                   caveat)  # fmt: skip


def cycling(measured: Mapping[str, Estimate], reason: str = "") -> Verdict:
    """Whether the players go round each other."""
    found = measured.get("cycling")
    if found is None or found.p is None:
        return Verdict("cycling", "not applicable", reason or "too few rounds were logged, or there is one player")
    turning = found.p < 1e-3
    period = found.details.get("period")
    told = shown(found, "red noise alone")
    said = f"{told}, period {float(period):.0f} rounds" if period else told
    evidence = (Evidence("spectral peak of the loss", said, side_of(turning, found.p > 0.05)),)
    advice = "averaged weights, a lower rate, a gradient penalty, or a rule that looks ahead"
    caveat = "A schedule that comes and goes, such as a warm restart, makes a peak too."
    if turning:
        sentence = f"the losses swing with a period of about {float(period or 0):.0f} rounds"
        return Verdict("cycling", "fail", sentence, evidence, advice, caveat)
    if found.p > 0.05:
        return Verdict("cycling", "pass", "no period stands out of the losses' noise", evidence, advice, caveat)
    return Verdict("cycling", "inconclusive", "a period stands out weakly", evidence, advice, caveat)
