"""Rules of the verdicts, as tables of numbers and what must be said of them; and whole suites on digits spoilt."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria.diagnose import latent, play, samples
from adversaria.diagnose.verdict import Evidence, Verdict, votes
from adversaria.diagnose.whole import ORDER, verdicts
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.controls import gather
from adversaria.evaluation.sets import prepare, reference
from adversaria.evaluation.suite import measure
from adversaria.metrics.estimate import Estimate, Null


def number(value, error=0.0, *, null=None, sd=0.01, **changes):
    """An estimate; null is the value between real sets."""
    law = None if null is None else Null(null, sd, 20)
    return Estimate(**({"name": "x", "value": value, "error": error, "n": 100, "null": law} | changes))


def sides(verdict):
    return {item.name: item.speaks for item in verdict.evidence}


# fit: precision against 0.5 and 0.8 of its null 0.9, coverage against 0.8 of its null 0.95


FINE = {"precision": number(0.9, null=0.9), "coverage": number(0.95, null=0.95)}


@pytest.mark.parametrize(
    ("precision", "error", "coverage", "state", "speak"),
    [
        (0.9, 0.02, 0.95, "pass", ("against", "against")),
        (0.721, 0.02, 0.761, "pass", ("against", "against")),
        (0.719, 0.02, 0.95, "inconclusive", ("neither", "against")),
        (0.9, 0.02, 0.759, "inconclusive", ("against", "for")),
        (0.44, 0.02, 0.95, "inconclusive", ("neither", "against")),  # above half within its error
        (0.44, 0.001, 0.95, "fail", ("for", "against")),
        (0.44, 0.02, 0.15, "fail", ("neither", "for")),  # and the data are empty
        (0.44, 0.02, 0.20, "inconclusive", ("neither", "for")),
        (0.46, 0.02, 0.15, "inconclusive", ("neither", "for")),
        (0.0, 0.0, 0.0, "fail", ("for", "for")),
    ],
)
def test_fit(precision, error, coverage, state, speak):
    told = samples.fit({"precision": number(precision, error, null=0.9), "coverage": number(coverage, null=0.95)})
    assert (told.name, told.state) == ("fit", state)
    assert tuple(sides(told).values()) == speak


def test_fit_says_what_a_classifier_says_and_does_not_go_by_it():
    for p, side, said in ((0.001, "for", "tells"), (0.049, "for", "tells"), (0.051, "against", "does not tell")):
        told = samples.fit(FINE | {"classifier-test": number(0.7, p=p)})
        assert told.state == "pass" and sides(told)["classifier test"] == side
        assert f"a classifier {said} samples" in told.sentence and "0.70" in told.sentence
    assert samples.fit({"precision": number(0.9, null=0.9)}).state == "pass"


@pytest.mark.parametrize("measured", [{}, {"precision": number(0.9)}, {"precision": number(0.0, null=0.0)},
                                      {"coverage": number(0.9, null=0.9)}])  # fmt: skip
def test_fit_without_its_numbers(measured):
    assert samples.fit(measured).state == "not applicable"


# collapse: two signs fail, none and two clear numbers pass


def coverage(value, error=0.0):
    return number(value, error, null=0.95)


def bins(lost, p):
    return number(lost, p=p, details={"lost": lost})


def classes(*missing):
    return number(0.1, details={"missing": list(missing), "counts": [1] * 10})


def birthday(high, low=0.0, train=1000, null=5000.0):
    return number(high / 2, math.nan, limits=(low, high), null=null, details={"train": train})


SIGNS = {
    "coverage": [(coverage(0.84), "for"), (coverage(0.851), "against"), (coverage(0.949), "against"),
                 (coverage(0.84, 0.05), "neither"), (coverage(0.84, 0.036), "for")],
    "bins": [(bins(1, 1e-4), "for"), (bins(1, 1e-3), "neither"), (bins(0, 1e-9), "against"), (bins(3, 0.5), "neither")],
    "classes": [(classes(3), "for"), (classes(), "against")],
    "vendi": [(number(6.9, null=10.0), "for"), (number(7.0, null=10.0), "neither"), (number(9.0, null=10.0), "neither"),
              (number(9.01, null=10.0), "against"), (number(30.0, null=10.0), "against")],
    "birthday": [(birthday(499), "for"), (birthday(500), "neither"), (birthday(9999, 501), "against"),
                 (birthday(9999, 500), "neither"), (birthday(499, null=998.0), "neither"),
                 (birthday(499, null=999.0), "for"), (birthday(499, null=None), "for"),
                 (birthday(math.inf, 501), "against")],
    "modes": [(number(23.8, null=25.0), "against"), (number(23.7, null=25.0), "for")],
}  # fmt: skip
CASES = [(key, *case) for key, cases in SIGNS.items() for case in cases]


@pytest.mark.parametrize(("key", "estimate", "side"), CASES)
def test_signs_of_collapse(key, estimate, side):
    told = samples.collapse({key: estimate})
    assert [item.speaks for item in told.evidence] == [side]
    assert told.state == "inconclusive"  # one number decides nothing


FOR = {key: next(e for e, side in cases if side == "for") for key, cases in SIGNS.items()}
AGAINST = {key: next(e for e, side in cases if side == "against") for key, cases in SIGNS.items()}
NEITHER = {"vendi": number(8.0, null=10.0), "birthday": birthday(500)}


@pytest.mark.parametrize(
    ("measured", "state"),
    [
        ({}, "not applicable"),
        ({"coverage": number(0.5), "bins": number(3.0), "birthday": number(3.0)}, "not applicable"),  # no nulls, no p
        (FOR, "fail"),
        (AGAINST, "pass"),
        (NEITHER, "inconclusive"),
        ({"coverage": FOR["coverage"], "vendi": FOR["vendi"]}, "fail"),
        ({**AGAINST, "coverage": FOR["coverage"]}, "inconclusive"),
        ({**AGAINST, "coverage": FOR["coverage"], "classes": FOR["classes"]}, "fail"),
        ({**NEITHER, "bins": AGAINST["bins"]}, "inconclusive"),
        ({**NEITHER, "bins": AGAINST["bins"], "classes": AGAINST["classes"]}, "pass"),
    ],
)
def test_collapse_wants_two_signs_and_passes_with_two_against(measured, state):
    assert samples.collapse(measured).state == state


def test_samples_off_the_data_are_no_sign_that_some_are_missing():
    off, near = number(0.71, null=0.9), number(0.73, null=0.9)  # 0.8 of 0.9 is 0.72
    both = {"coverage": FOR["coverage"], "bins": FOR["bins"]}
    assert samples.collapse({**both, "precision": near}).state == "fail"
    told = samples.collapse({**both, "precision": off})
    assert told.state == "inconclusive" and set(sides(told).values()) == {"neither"}
    assert "too far from the data" in told.sentence
    others = {"vendi": FOR["vendi"], "birthday": FOR["birthday"], "precision": off}
    assert samples.collapse(others).state == "fail"  # what quality doesn't explain still counts
    assert samples.collapse({**AGAINST, "precision": off}).state == "pass"


def test_stacked_modes_count_as_modes():
    assert samples.collapse({"stack-modes": number(900, null=1000.0)}).evidence[0].speaks == "for"


# memorisation: two signs fail


COPIER = {
    "copying": number(0.2, limits=(0.1, 0.449)), "near-copies": number(0.2, limits=(0.031, 0.3), p=0.001),
    "authenticity": number(0.1, limits=(0.05, 0.2), null=0.5, sd=0.03), "train-against-test": number(3.1, 1.0),
}  # fmt: skip
HONEST = {
    "copying": number(0.5, limits=(0.451, 0.55)), "near-copies": number(0.01, limits=(0.0, 0.059), p=0.5),
    "authenticity": number(0.5, limits=(0.45, 0.55), null=0.5, sd=0.03), "train-against-test": number(-1.0, 1.0),
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "estimate", "side"),
    [
        ("copying", number(0.4, limits=(0.3, 0.45)), "neither"),
        ("copying", number(0.4, limits=(0.3, 0.449)), "for"),
        ("copying", number(0.5, limits=(0.45, 0.6)), "neither"),
        ("copying", number(0.5, limits=(0.451, 0.6)), "against"),
        ("near-copies", number(0.1, limits=(0.03, 0.2), p=0.001), "neither"),
        ("near-copies", number(0.1, limits=(0.031, 0.2), p=0.001), "for"),
        ("near-copies", number(0.1, limits=(0.031, 0.2), p=0.01), "neither"),
        ("near-copies", number(0.1, limits=(0.031, 0.2)), "for"),
        ("near-copies", number(0.0, limits=(0.0, 0.06)), "neither"),
        ("near-copies", number(0.0, limits=(0.0, 0.059)), "against"),
        ("authenticity", number(0.4, limits=(0.3, 0.409), null=0.5, sd=0.03), "for"),
        ("authenticity", number(0.4, limits=(0.3, 0.411), null=0.5, sd=0.03), "neither"),
        ("authenticity", number(0.4, limits=(0.361, 0.5), null=0.5, sd=0.03), "against"),
        ("train-against-test", number(3.1, 1.0), "for"),
        ("train-against-test", number(3.0, 1.0), "neither"),
        ("train-against-test", number(-9.0, 1.0), "neither"),
        ("train-against-test", number(9.0, 0.0), "neither"),
    ],
)
def test_signs_of_memorisation(key, estimate, side):
    told = samples.memorisation(HONEST | {key: estimate})
    assert [item.speaks for item in told.evidence][list(HONEST).index(key)] == side


@pytest.mark.parametrize(
    ("measured", "state"),
    [
        ({}, "not applicable"),
        ({"copying": COPIER["copying"]}, "not applicable"),
        ({"authenticity": number(0.1), "copying": COPIER["copying"]}, "not applicable"),  # no null, no evidence
        (HONEST, "pass"),
        (COPIER, "fail"),
        (HONEST | {"copying": COPIER["copying"]}, "inconclusive"),
        (HONEST | {"copying": COPIER["copying"], "near-copies": COPIER["near-copies"]}, "fail"),
        ({"copying": HONEST["copying"], "train-against-test": HONEST["train-against-test"]}, "inconclusive"),
        ({"copying": HONEST["copying"], "authenticity": HONEST["authenticity"]}, "pass"),
    ],
)
def test_memorisation_wants_two_signs_and_passes_with_two_against(measured, state):
    assert samples.memorisation(measured).state == state


def test_a_pass_says_what_share_would_have_shown():
    near = replace(HONEST["near-copies"], details={"detectable": 0.034})
    assert "3.4% of the samples would have shown" in samples.memorisation(HONEST | {"near-copies": near}).sentence
    assert "would have shown" not in samples.memorisation(HONEST).sentence


# blur, latents, codes


@pytest.mark.parametrize(
    ("limits", "state", "side", "said"),
    [
        ((0.5, 0.699), "fail", "for", "50%"),
        ((0.5, 0.7), "inconclusive", "neither", "too few"),
        ((0.7, 1.2), "inconclusive", "neither", "too few"),
        ((0.701, 1.2), "pass", "against", "fine detail"),
        ((1.51, 1.9), "pass", "against", "grainy"),
        ((0.0, 0.0), "fail", "for", "0%"),
    ],
)
def test_blur(limits, state, side, said):
    value = 0.5 if limits[1] else 0.0
    told = samples.blur({"detail": number(value, limits=limits)})
    assert (told.state, sides(told)["high-frequency power"]) == (state, side) and said in told.sentence
    assert ("grainy" in told.sentence) == (limits[0] > 1.5)


@pytest.mark.parametrize(
    ("active", "information", "state", "speak"),
    [
        (9, 3.0, "pass", ("against", "against")),
        (1, 3.0, "pass", ("against", "against")),  # a tenth is not below a tenth
        (0, 3.0, "fail", ("for", "against")),
        (9, 0.099, "fail", ("against", "for")),
        (9, 0.1, "pass", ("against", "against")),
        (0, 0.0, "fail", ("for", "for")),
        (9, None, "pass", ("against",)),
    ],
)
def test_posterior_collapse(active, information, state, speak):
    measured = {"active-units": number(active, details={"dims": 10})}
    if information is not None:
        measured["mutual-information"] = number(information)
    told = latent.posterior_collapse(measured)
    assert (told.state, tuple(sides(told).values())) == (state, speak)
    assert f"{active} of 10" in told.sentence


@pytest.mark.parametrize(
    ("idle", "state", "side"),
    [(0.51, "fail", "for"), (0.5, "inconclusive", "neither"), (0.2, "inconclusive", "neither"),
     (0.19, "pass", "against")],
)  # fmt: skip
def test_unused_codes(idle, state, side):
    told = latent.unused_codes({"unused-codes": number(idle), "code-perplexity": number(31.0)})
    assert (told.state, sides(told)["unused codes"]) == (state, side) and "31 codes" in told.sentence


# play


@pytest.mark.parametrize(
    ("value", "limits", "state", "side"),
    [
        (0.8, (0.51, 1.0), "fail", "for"),
        (0.8, (0.5, 1.0), "inconclusive", "neither"),
        (0.29, (0.1, 0.49), "pass", "against"),
        (0.3, (0.1, 0.49), "inconclusive", "neither"),
        (0.29, (0.0, 0.5), "inconclusive", "neither"),
    ],
)
def test_discriminator_overfit(value, limits, state, side):
    told = play.discriminator_overfit({"held-out-gap": number(value, limits=limits)})
    assert (told.state, sides(told)["held-out gap"]) == (state, side)


@pytest.mark.parametrize(
    ("limits", "accuracy", "state", "speak"),
    [
        ((-3.0, -1.01), 0.999, "fail", ("for", "for")),
        ((-3.0, -1.01), 0.99, "inconclusive", ("for", "neither")),
        ((-3.0, -1.01), 0.9, "inconclusive", ("for", "against")),
        ((-3.0, -1.0), 0.999, "inconclusive", ("neither", "for")),
        ((-0.99, 0.0), 0.999, "pass", ("against", "for")),
    ],
)
def test_vanishing_gradient(limits, accuracy, state, speak):
    told = play.vanishing_gradient({"gradient-slope": number(-2.0, limits=limits, details={"accuracy": accuracy})})
    assert (told.state, tuple(sides(told).values())) == (state, speak)


@pytest.mark.parametrize(
    ("p", "state", "side"),
    [(9e-4, "fail", "for"), (1e-3, "inconclusive", "neither"), (0.05, "inconclusive", "neither"),
     (0.051, "pass", "against")],
)  # fmt: skip
def test_cycling(p, state, side):
    told = play.cycling({"cycling": number(30.0, p=p, details={"period": 42.4})})
    assert (told.state, sides(told)["spectral peak of the loss"]) == (state, side)
    assert ("42 rounds" in told.sentence) == (state == "fail")


@pytest.mark.parametrize("rule", [play.discriminator_overfit, play.vanishing_gradient, play.cycling])
def test_play_without_its_number_gives_the_reason(rule):
    assert rule({}, "no critic here").state == "not applicable"
    assert rule({}, "no critic here").sentence == "no critic here"
    assert rule({}).sentence


def test_models_without_the_part_are_not_judged_on_it():
    for rule in (samples.blur, latent.posterior_collapse, latent.unused_codes):
        assert rule({}).state == "not applicable"


def rounds(n=100, last=1.0, stage="main", **changes):
    tenth = max(1, n // 10)
    norms = [1.0] * (n - tenth) + [last] * tenth
    return [{"round": i, "stage": stage, "gradient_norms": {"critic": norm}, "skipped": {}} | changes
            for i, norm in enumerate(norms)]  # fmt: skip


def scores(*values, error=0.1, name="distance"):
    return [{"name": name, "value": value, "error": error, "lower_is_better": True} for value in values]


@pytest.mark.parametrize(
    ("log", "scored", "events", "state"),
    [
        ([], (), (), "not applicable"),
        (rounds(), (), (), "pass"),
        (rounds(), (), ({"event": "started"}, {"event": "finished"}), "pass"),
        (rounds(), (), ({"event": "broke-down"},), "fail"),
        (rounds(), (), ({"event": "rolled-back"},), "fail"),
        (rounds(last=101.0), (), (), "fail"),
        (rounds(last=100.0), (), (), "pass"),
        (rounds(n=10, last=1e9), (), (), "pass"),  # 9 rounds are too few to compare with
        (rounds(n=12, last=1e9), (), (), "fail"),
        (rounds() + rounds(last=50.0, stage="next"), (), (), "pass"),
        (rounds() + rounds(n=15, stage="next", gradient_norms={"critic": 1e3}), (), (), "pass"),  # stages stand apart
        (rounds() + rounds(n=15, last=1e3, stage="next"), (), (), "fail"),
        (rounds(gradient_norms={"critic": None}), (), (), "pass"),
        (rounds(gradient_norms={"critic": math.inf}), (), (), "pass"),
        (rounds()[:-1] + rounds(skipped={"critic": 2})[-1:], (), (), "pass"),
        (rounds()[:-1] + rounds(skipped={"critic": 2, "other": 1})[-1:], (), (), "fail"),
        (rounds(), scores(1.0, 2.0, 1.6), (), "pass"),  # worse, yet four of its errors only
        (rounds(), scores(1.0, 2.0, 1.6, error=0.01), (), "fail"),
        (rounds(), scores(1.0, 2.0, 1.5, error=0.01), (), "pass"),  # not above 1.5 times the best
        (rounds(), scores(1.0, 1.6, error=0.01), (), "pass"),  # two scores are too few
        (rounds(), scores(9.0, 5.0, 1.0, error=0.01), (), "pass"),
        (rounds(), scores(0.1, 0.1, 9.0, error=0.01, name="a") + scores(1.0, 1.0, 1.0, name="b"), (), "pass"),
        (rounds(), [{**s, "lower_is_better": False} for s in scores(1, 2, 9, error=0.01)], (), "pass"),
        (rounds(), [{**s, "metric": "frechet"} for s in scores(1, 2, 9, error=0.01)], (), "pass"),
        (rounds(), scores(1.0, 2.0, math.nan, error=0.01), (), "pass"),
        (rounds(), scores(1.0, 1.0, 1.0, error=0.0), (), "pass"),
    ],
)
def test_divergence(log, scored, events, state):
    found = play.divergence(log, scored, events)
    assert found.state == state
    if state == "fail":
        assert votes(found.evidence, "for") == 1
        assert next(e.name for e in found.evidence if e.speaks == "for") in found.sentence


# the whole


def test_all_verdicts_come_faults_first():
    middling = {"unused-codes": number(0.3), "code-perplexity": number(9.0)}
    told = verdicts({**FINE, **FOR, **HONEST, **middling}, reasons={"cycling": "one player"})
    assert len({v.name for v in told}) == 10
    assert list(dict.fromkeys(v.state for v in told)) == ["fail", "inconclusive", "pass", "not applicable"]
    order = [ORDER[v.state] for v in told]
    assert order == sorted(order) and told[0].state == "fail" and told[-1].state == "not applicable"
    by = {v.name: v for v in told}
    assert by["collapse"].state == "fail" and by["memorisation"].state == "pass"
    assert by["cycling"].sentence == "one player"


def test_every_failure_advises_and_warns_of_itself():
    for told in (samples.collapse(FOR), samples.memorisation(COPIER), play.divergence(rounds(last=1e9), (), ())):
        assert told.state == "fail" and told.advice and told.caveat
        assert f"> {told.advice}" in str(told)
    assert samples.collapse(AGAINST).advice not in str(samples.collapse(AGAINST))


def test_verdicts_are_written_and_read_back():
    told = Verdict("fit", "fail", "so", (Evidence("a", "1", "for"), Evidence("b", "2")), "do", "mind")
    assert Verdict.from_dict(json.loads(json.dumps(told.to_dict()))) == told
    assert Verdict.from_dict(json.loads(json.dumps(Verdict("fit", "pass", "so").to_dict()))).evidence == ()
    assert str(told).splitlines() == ["FAIL           fit: so", "    ! a: 1", "      b: 2", "    > do"]


# end to end: digits of a known fault


NAMES = ["manifold", "bins", "classes", "vendi", "birthday", "copies", "detail", "classifier-test"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    cache = pytest.MonkeyPatch()
    cache.setenv("ADVERSARIA_CACHE", str(tmp_path_factory.mktemp("cache")))
    data = adv.load("digits")
    yield data, features_for(data)
    cache.undo()


def judged(digits, case, seed=0):
    """Real examples in place of samples: half of the training split is the training set, the other half is fresh."""
    data, features = digits
    order = np.random.default_rng([seed, 5]).permutation(data.members("train")[-1])
    train, fresh = np.split(order, 2) if len(order) % 2 == 0 else np.split(order[1:], 2)
    n = len(reference(data, "test")[0])
    if case == "copied":
        x = gather(data, train[:n])
    elif case == "dropped":
        x = gather(data, fresh[~np.isin(data.labels[fresh], (2, 5, 7))][:n])
    elif case == "noise":
        x = torch.rand(n, *data.spec.shape, generator=torch.Generator().manual_seed(seed)).round() * 2 - 1
    else:
        x = gather(data, fresh[:n])
    sets = prepare(data, x, features, seed=seed)
    train = np.sort(train)
    sets = replace(sets, train=features(gather(data, train)), train_places=train)
    return {v.name: v for v in verdicts(measure(sets, NAMES, 10).estimates)}


@pytest.mark.parametrize(
    ("case", "states"),
    [
        ("copied", {"memorisation": "fail", "fit": "pass", "collapse": "pass", "blur": "pass"}),
        ("dropped", {"collapse": "fail", "memorisation": "pass", "blur": "pass"}),
        ("good", {"fit": "pass", "collapse": "pass", "memorisation": "pass", "blur": "pass"}),
        ("noise", {"fit": "fail", "memorisation": "pass", "blur": "pass"}),
    ],
)
def test_digits_of_a_known_fault_are_told_apart(digits, case, states):
    told = judged(digits, case)
    assert {name: told[name].state for name in states} == states, "\n".join(map(str, told.values()))
    if case == "dropped":
        assert "(2, 5, 7)" in {e.name: e.said for e in told["collapse"].evidence}["classes"]
    if case == "noise":
        assert told["collapse"].state != "fail" and "grainy" in told["blur"].sentence


def test_a_blind_discriminator_proves_nothing_of_gradients():
    slope = Estimate("slope", 3.0, 0.1, 3, details={"accuracy": 0.5})
    assert play.vanishing_gradient({"gradient-slope": slope}).state == "inconclusive"
    seeing = Estimate("slope", 3.0, 0.1, 3, details={"accuracy": 0.7})
    assert play.vanishing_gradient({"gradient-slope": seeing}).state == "pass"


def test_samples_far_from_the_data_never_pass_collapse():
    rich = Estimate("Vendi", 9.9, 0.1, 100, null=Null(10.0, 0.1, 5))
    modes = Estimate("modes", 8.0, 0.0, 100, null=Null(8.0, 0.0, 0))
    for share, state in ((0.1, "inconclusive"), (0.9, "pass")):
        precision = Estimate("precision", share, 0.01, 100, null=Null(0.95, 0.01, 5))
        assert samples.collapse({"vendi": rich, "modes": modes, "precision": precision}).state == state
