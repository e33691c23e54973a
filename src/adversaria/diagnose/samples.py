"""Verdicts on samples: fit, collapse, memorisation, blur. Rules on estimates; every threshold is named here.

A rule weighs several numbers, since each errs in its own way (the caveats say how), and passes only where there
was power to find the fault.
"""

import math
from collections.abc import Mapping

from adversaria.diagnose.verdict import Evidence, Side, Verdict, votes
from adversaria.evaluation.measures import LOST
from adversaria.metrics.estimate import Estimate

Measured = Mapping[str, Estimate]
"""Estimates by metric: "precision", "coverage", "copying", ..."""

UNLIKE = 0.5
"""Samples are unlike the data where their precision is below this part of that between real sets."""
ALIKE = 0.8
"""They fit where precision and coverage are at least this part of it."""
COVERAGE_LOSS = 0.1
"""Coverage lost against a perfect model, beyond its error, that counts as a sign of collapse."""
VENDI_LOSS, VENDI_KEPT = 0.7, 0.9
"""Parts of the real data's Vendi score below and above which it speaks for and against collapse."""
BINS_P = 1e-3
EMPTY = 0.2
"""Nothing of the data is reached where coverage is below this part of a perfect model's."""
MISSED = 0.05
"""Share of known modes or classes lost that counts as a sign."""
COPIES = 0.45
"""Area below which samples lie closer to the training set than held-out data do."""
RATIO = 0.03
"""Share of samples nearer to one training example than 99% of held-out ones are that counts as a sign."""
COPY_P = 0.01
"""And it has to be as rare as this among held-out examples."""
BLUR, GRAIN = 0.7, 1.5
"""High-frequency power against that of the data below which images are blurred, above which they are grainy."""


def shown(estimate: Estimate, ideal: str = "a perfect model") -> str:
    """The number with its interval, its null and its p."""
    low, high = estimate.interval
    said = f"{estimate.value:.3g} [{low:.3g}, {high:.3g}]" if low < high else f"{estimate.value:.3g}"
    if estimate.null is not None:
        spread = f" +- {estimate.null.sd:.2g}" if estimate.null.sd > 1e-6 * abs(estimate.null.mean) else ""
        said += f", {ideal} {estimate.null.mean:.3g}{spread}"
    if estimate.p is None:
        return said
    return said + (f", p = {estimate.p:.2g}" if estimate.p >= 1e-6 else ", p < 1e-6")


def fit(measured: Measured) -> Verdict:
    """Whether samples are like the data at all, and whether they can be told from them."""
    precision, coverage, test = (measured.get(key) for key in ("precision", "coverage", "classifier-test"))
    if precision is None or precision.null is None or not precision.null.mean > 0:
        return Verdict("fit", "not applicable", "precision and its value between real sets weren't measured")
    share, least = precision.value / precision.null.mean, precision.interval[1] / precision.null.mean
    evidence = [Evidence("precision", shown(precision), side_of(least < UNLIKE, share >= ALIKE))]
    full = True
    if coverage is not None and coverage.null is not None:
        full = coverage.value >= ALIKE * coverage.null.mean
        evidence.append(Evidence("coverage", shown(coverage), side_of(not full, full)))
    if test is not None:
        told_apart = test.p is not None and test.p < 0.05
        evidence.append(Evidence("classifier test", shown(test), "for" if told_apart else "against"))
    found = tuple(evidence)
    told = ""
    if test is not None:
        apart = evidence[-1].speaks == "for"
        told = (f"; a classifier {'tells' if apart else 'does not tell'} samples from data "
                f"(area {test.value:.2f}, 0.5 by chance)")  # fmt: skip
    advice = "train longer; if the curves have flattened, a wider network, or another recipe"
    caveat = "At few examples a difference that is there may not show; a test passed is not equality."
    empty = coverage is not None and coverage.null is not None and coverage.interval[1] < EMPTY * coverage.null.mean
    if least < UNLIKE or (share < UNLIKE and empty):
        sentence = f"most samples are unlike any of the data: {precision.value:.0%} lie where data lie{told}"
        return Verdict("fit", "fail", sentence, found, advice, caveat)
    if share >= ALIKE and full:
        sentence = f"samples lie where data lie and reach what they should{told}"
        return Verdict("fit", "pass", sentence, found, advice, caveat)
    sentence = f"samples are partly like the data: {precision.value:.0%} lie where data lie{told}"
    return Verdict("fit", "inconclusive", sentence, found, advice, caveat)


def collapse(measured: Measured) -> Verdict:
    """Whether a part of the data is never drawn, or few examples are drawn again and again."""
    off = _off(measured)
    evidence = tuple(
        item
        for item in (_coverage(measured, off), _bins(measured, off), _modes(measured), _classes(measured),
                     _vendi(measured), _support(measured))
        if item is not None
    )  # fmt: skip
    caveat = ("Birthday pairs miss a distribution that is only too narrow. Coverage and bins can't tell samples that "
              "are missing from samples that lie off the data: where precision is low they don't count.")  # fmt: skip
    advice = ("a critic with a gradient penalty (wgan-gp), more critic steps, a larger batch or a wider critic; "
              "look at the gallery of missing modes")  # fmt: skip
    signs, clear = votes(evidence, "for"), votes(evidence, "against")
    if not evidence:
        return Verdict("collapse", "not applicable", "none of its numbers was measured")
    if signs >= 2:
        named = ", ".join(item.name for item in evidence if item.speaks == "for")
        return Verdict("collapse", "fail", f"{signs} of {len(evidence)} signs: {named}", evidence, advice, caveat)
    if signs == 0 and clear >= 2 and not _far(measured):
        return Verdict("collapse", "pass", f"none of {len(evidence)} signs", evidence, advice, caveat)
    why = f"{signs} of {len(evidence)} signs"
    if signs == 0 and off:
        why = "samples lie too far from the data to say what they leave out"
    return Verdict("collapse", "inconclusive", why, evidence, advice, caveat)


def _off(measured: Measured) -> bool:
    """Whether so many samples lie off the data that what is near no sample needn't be missing."""
    precision = measured.get("precision")
    return precision is not None and precision.null is not None and precision.value < ALIKE * precision.null.mean


def _far(measured: Measured) -> bool:
    """Whether samples are so unlike the data that nothing can be said of what they leave out."""
    precision = measured.get("precision")
    return (precision is not None and precision.null is not None
            and precision.interval[1] < UNLIKE * precision.null.mean)  # fmt: skip


def side_of(for_: bool, against: bool) -> Side:
    """What a number speaks for."""
    return "for" if for_ else "against" if against else "neither"


def _coverage(measured: Measured, off: bool) -> Evidence | None:
    found = measured.get("coverage")
    if found is None or found.null is None:
        return None
    low = found.value + 3 * found.error < found.null.mean and found.value < found.null.mean - COVERAGE_LOSS
    full = found.value > found.null.mean - COVERAGE_LOSS
    return Evidence("coverage", shown(found), side_of(low and not off, full))


def _bins(measured: Measured, off: bool) -> Evidence | None:
    found = measured.get("bins")
    if found is None or found.p is None:
        return None
    lost = int(found.details.get("lost", 0))
    said = f"{lost} bins have less than {LOST:.0%} of their share; {shown(found)}"
    return Evidence("bins", said, side_of(found.p < BINS_P and lost > 0 and not off, lost == 0))


def _modes(measured: Measured) -> Evidence | None:
    found = measured.get("modes") or measured.get("stack-modes")
    if found is None or found.null is None:
        return None
    lost = 1 - found.value / found.null.mean
    return Evidence("known modes", shown(found), side_of(lost >= MISSED, lost < MISSED))


def _classes(measured: Measured) -> Evidence | None:
    found = measured.get("classes")
    if found is None:
        return None
    missing = found.details["missing"]
    named = f" ({', '.join(map(str, missing))})" if missing else ""
    said = f"{len(missing)} of {len(found.details['counts'])} have less than {LOST:.0%} of their share{named}"
    return Evidence("classes", said, side_of(bool(missing), not missing))


def _vendi(measured: Measured) -> Evidence | None:
    found = measured.get("vendi")
    if found is None or found.null is None:
        return None
    share = found.value / found.null.mean
    return Evidence("Vendi score", shown(found), side_of(share < VENDI_LOSS, share > VENDI_KEPT))


def _support(measured: Measured) -> Evidence | None:
    found = measured.get("birthday")
    if found is None or "train" not in found.details:
        return None
    half = 0.5 * float(found.details["train"])
    low, high = found.interval
    floor = found.null.mean if found.null is not None else float("inf")  # what the same count says of real data
    few = high < half and high < 0.5 * floor
    many = f"about {shown(found)} distinct examples"
    count = many if math.isfinite(found.value) else "none: too many distinct examples to count by them"
    return Evidence("birthday pairs", count, side_of(few, low > half))


def memorisation(measured: Measured) -> Verdict:
    """Whether samples are copies of training examples."""
    area, near, original = (measured.get(key) for key in ("copying", "near-copies", "authenticity"))
    evidence = []
    if area is not None:
        low, high = area.interval
        said = f"{shown(area)}; 0.5 where samples are as far from the training set as held-out data"
        evidence.append(Evidence("copying", said, side_of(high < COPIES, low > COPIES)))
    if near is not None:
        low, high = near.interval
        rare = near.p is None or near.p < COPY_P
        evidence.append(Evidence("near copies", shown(near), side_of(low > RATIO and rare, high < 2 * RATIO)))
    if original is not None and original.null is not None:
        low, high = original.interval
        gap = original.null.mean - 3 * original.null.sd
        evidence.append(Evidence("authenticity", shown(original), side_of(high < gap, low > gap - 0.05)))
    asymmetry = measured.get("train-against-test")
    if asymmetry is not None:
        score = asymmetry.value / asymmetry.error if asymmetry.error > 0 else 0.0
        said = f"Frechet distance to test less that to train: {shown(asymmetry)}"
        evidence.append(Evidence("train against test", said, side_of(score > 3, False)))
    found = tuple(evidence)
    caveat = "A collapsed model sits near the training set's densest places and can look like a copier."
    advice = "more data or augmentation, a smaller model, fewer rounds; look at the gallery of closest pairs"
    if len(found) < 2:
        return Verdict("memorisation", "not applicable", "there are too few held-out examples to compare with")
    signs = votes(found, "for")
    if signs >= 2:
        sentence = f"samples lie closer to training examples than held-out data do ({signs} of {len(found)} signs)"
        return Verdict("memorisation", "fail", sentence, found, advice, caveat)
    if signs == 1 or votes(found, "against") < 2:
        sentence = f"{signs} of {len(found)} signs; look at the closest pairs"
        return Verdict("memorisation", "inconclusive", sentence, found, advice, caveat)
    least = near.details.get("detectable") if near is not None else None
    told = f"; copies that make up {float(least):.1%} of the samples would have shown" if least else ""
    sentence = f"samples lie no closer to training examples than held-out data do{told}"
    return Verdict("memorisation", "pass", sentence, found, advice, caveat)


def blur(measured: Measured) -> Verdict:
    """Whether images lack detail."""
    found = measured.get("detail")
    if found is None:
        return Verdict("blur", "not applicable", "only images of 4 pixels a side and more can be blurred")
    low, high = found.interval
    evidence = (Evidence("high-frequency power", shown(found), side_of(high < BLUR, low > BLUR)),)
    advice = "an adversarial or autoregressive recipe, a narrower observation noise, a smaller beta"
    caveat = "Noise adds the power that blur takes; the two together can look right."
    if high < BLUR:
        sentence = f"{found.value:.0%} of the data's power in the finest octave"
        return Verdict("blur", "fail", sentence, evidence, advice, caveat)
    if low > BLUR:
        grain = f"; grainy, {found.value:.1f} times the data's fine power" if low > GRAIN else ""
        return Verdict("blur", "pass", f"fine detail has its power{grain}", evidence, advice, caveat)
    sentence = f"too few images to tell its fine power from {BLUR:.0%} of the data's"
    return Verdict("blur", "inconclusive", sentence, evidence, advice, caveat)
