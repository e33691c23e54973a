"""What is compared with what, and the suite: what is measured, what isn't and why, nulls, protocols, repetition."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria.errors import UserError
from adversaria.evaluation import suite
from adversaria.evaluation.controls import gather
from adversaria.evaluation.features import pca, pixels
from adversaria.evaluation.sets import prepare, reference
from adversaria.evaluation.suite import METRICS, QUICK, measure, wanted
from adversaria.metrics.estimate import Estimate, comparable

CHEAP = ["frechet", "sliced", "manifold", "vendi", "detail", "copies", "birthday"]


@pytest.fixture(scope="module")
def digits():
    return adv.load("digits")


@pytest.fixture(scope="module")
def features(digits):
    return pca(digits, 8)


def samples(n=120, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 8, 8, generator=g) * 2 - 1


@pytest.fixture(scope="module")
def sets(digits, features):
    return prepare(digits, samples(), features)


def rows(x):
    return {row.numpy().tobytes() for row in x}


def written(measured):
    return json.dumps({key: e.to_dict() for key, e in measured.estimates.items()}, sort_keys=True, default=str)


# sets


@pytest.mark.parametrize(
    ("x", "named"),
    [
        (torch.zeros(20, 1, 8, 9), r"\(1, 8, 9\).*digits has \(1, 8, 8\)"),
        (torch.zeros(20, 64), "shape"),
        (torch.zeros(20, 3, 8, 8), "shape"),
        (torch.zeros(9, 1, 8, 8), "9 samples.*10 of each"),
        (torch.where(torch.arange(20)[:, None, None, None] < 3, torch.nan, torch.zeros(20, 1, 8, 8)), "3 of 20"),
        (torch.full((20, 1, 8, 8), torch.inf), "20 of 20 samples are not finite"),
    ],
)
def test_samples_that_are_none_are_refused(digits, features, x, named):
    with pytest.raises(UserError, match=named) as told:
        prepare(digits, x, features)
    assert "\n" not in str(told.value)


def test_a_small_test_split_is_joined_by_valid(digits):
    places, said = reference(digits, "test")
    assert said == "test and valid"
    assert set(places) == {*digits.members("test")[0], *digits.members("valid")[0]}
    for split in ("train", "valid"):
        found, name = reference(digits, split)
        assert name == split and np.array_equal(found, digits.members(split)[0])
    with pytest.raises(UserError, match="did you mean 'test'"):
        reference(digits, "tests")


def test_a_large_one_stands_alone(digits):
    at = np.arange(1797)
    for size, said in ((1000, "test"), (999, "test and valid")):
        data = replace(digits, splits={"train": at[1700:], "valid": at[1600:1700], "test": at[:size]})
        assert reference(data, "test")[1] == said


def test_reference_is_as_large_as_the_samples_and_drawn_by_seed(digits, features):
    found = prepare(digits, samples(), features)
    assert len(found.real) == len(found.generated) == 120 == len(set(found.real_places))
    assert torch.equal(found.real_x, gather(digits, found.real_places))
    assert torch.equal(found.real, features(found.real_x))
    assert np.array_equal(found.real_places, prepare(digits, samples(), features).real_places)
    assert not np.array_equal(found.real_places, prepare(digits, samples(), features, seed=1).real_places)
    assert len(prepare(digits, samples(1000), features).real) == 358  # as many as there are


def test_training_set_is_apart_from_the_reference(digits, sets, features):
    assert np.array_equal(sets.train_places, digits.members("train")[0])
    assert torch.allclose(sets.train, features(gather(digits, sets.train_places)), atol=1e-5)
    assert not set(sets.train_places) & set(sets.real_places)
    assert len(prepare(digits, samples(), features, most=50).train) == 50
    assert prepare(digits, samples(), features, against="train").train is None


def test_facts_say_what_was_compared(digits, sets, features):
    assert sets.facts == {
        "data": "digits", "data_fingerprint": digits.fingerprint[:12], "split": "test and valid", "seed": 0,
        "features": "PCA-8", "features_hash": features.hash, "resize": "none",
    }  # fmt: skip


def test_other_samples_keep_the_reference(sets):
    found = sets.with_samples(samples(40, seed=3), None)
    assert torch.equal(found.real, sets.real) and len(found.generated) == 40 and found.passes is not sets.passes
    with pytest.raises(UserError, match="not finite"):
        sets.with_samples(samples(40) / 0, None)


def test_nulls_are_real_sets_of_the_samples_size_outside_of_the_reference(digits, features):
    found = prepare(digits, samples(100), features)
    everything, inside = rows(gather(digits, np.arange(len(digits)))), rows(found.real_x)
    drawn = list(found.nulls(3))
    for real in drawn:
        assert len(real.generated) == 100 == len(rows(real.generated_x)) and real.train is None and real.game is None
        assert not rows(real.generated_x) & inside and rows(real.generated_x) <= everything
        assert torch.allclose(real.generated, features(real.generated_x), atol=1e-5)
        assert torch.equal(real.real, found.real)
    assert len({real.generated.numpy().tobytes() for real in drawn}) == 3
    assert torch.equal(drawn[1].generated, list(found.nulls(2))[1].generated)


def test_without_enough_real_examples_there_are_no_nulls(digits, features):
    few = replace(digits, splits={k: v[:30] for k, v in digits.splits.items()})
    assert [len(real.generated) for real in prepare(few, samples(30), features).nulls(2)] == [30, 30]
    found = prepare(few, samples(60), features)
    assert list(found.nulls(2)) == []
    assert measure(found, ["sliced"]).estimates["sliced"].null is None


def test_a_point_without_a_finite_likelihood_is_named_by_its_row_in_its_split(digits, features):
    game = adv.recipe("nade", "smoke").build(digits.spec)
    wanted = {split: digits.examples(8, split).x[7] for split in ("test", "valid")}

    def broken(x):
        bad = torch.stack([(x == one).flatten(1).all(1) for one in wanted.values()]).any(0)
        return torch.where(bad, -torch.inf, -10.0).double()

    game.abilities["log_prob"] = broken
    found = measure(prepare(digits, samples(400), features, game=game), ["likelihood"]).estimates["likelihood"]
    assert sorted(found.details["not_finite_examples"]) == ["7 of test", "7 of valid"]
    assert "2 of 358 examples have no finite log-likelihood (rows 7 of" in found.bias


# the suite


def test_names_ask_for_computations_or_single_numbers(sets):
    assert set(measure(sets, ["manifold"], 0).estimates) == {"precision", "recall", "density", "coverage"}
    assert set(measure(sets, ["recall"], 0).estimates) == {"recall"}
    assert list(measure(sets, ["coverage", "sliced", "recall"], 0).estimates) == ["sliced", "recall", "coverage"]
    assert set(wanted(["recall", "precision"])) == {"manifold"}
    assert measure(sets, [], 0).estimates == {} == measure(sets, [], 0).undefined
    with pytest.raises(UserError, match="did you mean 'recall'"):
        measure(sets, ["recal"])


def test_every_number_has_one_owner():
    numbers = [key for metric in METRICS.values() for key in metric.gives]
    assert len(numbers) == len(set(numbers))
    assert all(key not in METRICS or key in METRICS[key].gives for key in numbers)
    assert {"frechet", "manifold", "copies"} <= set(QUICK) and "classifier-test" not in QUICK


def test_what_does_not_apply_is_undefined_with_the_reason(sets):
    told = measure(sets, ["likelihood", "modes", "classes", "path-length", "stacks", "codes", "latents", "sliced"], 0)
    assert set(told.estimates) == {"sliced"}
    expected = {"likelihood": "the model, not its samples", "modes": "no known modes", "codes": "the model",
                "classes": "--features trained", "path-length": "the model", "stacks": "no stacks"}  # fmt: skip
    for key, why in expected.items():
        assert why in told.undefined[key]
    assert set(told.undefined) == {"likelihood", "modes", "classes", "path-length", "stacks", "codes", "latents"}


def test_copies_need_a_training_set_apart(digits, features):
    told = measure(prepare(digits, samples(), features, against="train"), ["copies", "bins"], 0)
    assert not told.estimates and all("against test" in why for why in told.undefined.values())


def test_points_have_no_detail_and_known_modes():
    data = adv.load("ring8")
    x = gather(data, data.members("train")[0][:200])
    told = measure(prepare(data, x, pixels(data.spec)), ["modes", "detail"], 0)
    assert told.estimates["modes"].value == 8 == pytest.approx(told.estimates["modes"].null.mean)
    assert "spatial" in told.undefined["detail"]
    one = measure(prepare(data, x[:1].repeat(200, 1), pixels(data.spec)), ["modes"], 0)
    assert one.estimates["modes"].value == 1


def test_a_number_its_computation_does_not_give_is_undefined(sets, monkeypatch):
    given = {key: e for key, e in METRICS["manifold"].measure(sets).items() if key != "recall"}
    monkeypatch.setitem(suite.METRICS, "manifold", replace(METRICS["manifold"], measure=lambda s: given))
    told = measure(sets, ["recall", "coverage"], 0)
    assert set(told.estimates) == {"coverage"} and "manifold" in told.undefined["recall"]
    assert measure(sets, ["manifold"], 0).undefined == {}


def test_other_errors_are_not_swallowed(sets, monkeypatch):
    def broken(_):
        raise RuntimeError("a bug")

    monkeypatch.setitem(suite.METRICS, "sliced", replace(METRICS["sliced"], measure=broken))
    with pytest.raises(RuntimeError, match="a bug"):
        measure(sets, ["sliced"])


def test_every_number_says_how_it_was_measured(digits, sets, features):
    for key, estimate in measure(sets, CHEAP, 0).estimates.items():
        said = estimate.protocol
        assert (said["data"], said["data_fingerprint"]) == ("digits", digits.fingerprint[:12]), key
        assert (said["split"], said["seed"], said["resize"]) == ("test and valid", 0, "none"), key
        assert estimate.n == 120 and said["n_generated"] == 120, key
        if key == "detail":
            assert not [fact for fact in said if "features" in fact] and "[" not in estimate.name
        else:
            assert (said["features"], said["features_hash"]) == ("PCA-8", features.hash), key
            assert estimate.name.endswith("[PCA-8]"), key


def test_nulls_are_what_real_sets_give(sets):
    draws = 6
    found = measure(sets, ["frechet", "recall"], draws).estimates
    for key, name in (("frechet", "frechet"), ("recall", "manifold")):
        values = [METRICS[name].measure(real)[key].value for real in sets.nulls(draws)]
        null = found[key].null
        assert null.mean == pytest.approx(np.mean(values)) and null.sd == pytest.approx(np.std(values, ddof=1))
        assert null.draws == draws
    assert found["frechet"].excess > 10 and found["recall"].excess < -10  # noise is far from digits


def test_real_samples_are_no_further_than_their_null(digits, features):
    chosen = np.random.default_rng(0).permutation(digits.members("train")[0])[:150]  # in order are few writers' digits
    names = ["frechet", "sliced", "manifold", "vendi"]
    found = measure(prepare(digits, gather(digits, chosen), features), names, 12).estimates
    assert max(abs(e.excess) for e in found.values()) < 4.5


def test_no_draws_are_no_nulls(sets):
    assert all(e.null is None for e in measure(sets, ["frechet", "vendi"], 0).estimates.values())


def test_tests_keep_the_null_they_bring(sets):
    alone = {**METRICS["copies"].measure(sets), **METRICS["manifold"].measure(sets)}
    found = measure(sets, ["copies", "manifold"], 4).estimates
    brought = [key for key, e in alone.items() if e.null is not None]
    assert {"coverage", "authenticity", "copying"} <= set(brought) and "recall" not in brought
    assert {key: found[key].null for key in brought} == {key: alone[key].null for key in brought}
    assert found["recall"].null.draws == 4


def test_known_nulls_are_used_again(sets, monkeypatch):
    nulls = {}
    first = measure(sets, ["frechet", "vendi"], 3, nulls)
    assert set(nulls) == {"frechet", "vendi"}

    def never(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr(suite, "_nulls", never)
    again = measure(sets.with_samples(samples(seed=5), None), ["frechet", "vendi"], 3, nulls)
    assert again.estimates["frechet"].null == first.estimates["frechet"].null
    assert again.estimates["frechet"].value != first.estimates["frechet"].value
    with pytest.raises(AssertionError, match="drawn again"):
        measure(sets, ["frechet", "sliced"], 3, nulls)


def test_the_same_call_gives_the_same_bits_and_touches_no_generator(digits, features):
    states = []
    found = []
    for i in range(2):
        torch.manual_seed(i)
        np.random.seed(i)  # noqa: NPY002
        states.append((torch.get_rng_state(), np.random.get_state()[1].copy()))  # noqa: NPY002
        every = [name for name in METRICS if name not in ("wasserstein", "mmd", "energy", "kernel")]
        found.append(written(measure(prepare(digits, samples(80), features), every, 3)))
        assert torch.equal(states[-1][0], torch.get_rng_state())
        assert np.array_equal(states[-1][1], np.random.get_state()[1])  # noqa: NPY002
    assert found[0] == found[1] and len(found[0]) > 1000


def test_models_measured_alike_are_comparable_and_others_are_not(digits, features):
    def told(x=None, f=features, **settings):
        return measure(prepare(digits, samples() if x is None else x, f, **settings), CHEAP, 0).estimates

    first = told()
    for key, estimate in told(samples(seed=1)).items():
        comparable(first[key], estimate)
        assert first[key].fingerprint == estimate.fingerprint
    for other, named in ((told(seed=1), "seed 0 against 1"), (told(samples(119)), "n_generated"),
                         (told(against="valid"), "split test and valid against valid")):  # fmt: skip
        for key in first:
            with pytest.raises(UserError, match=named):
                comparable(first[key], other[key])
    other = told(f=replace(features, hash="0" * 12))
    for key in first:
        if key == "detail":
            comparable(first[key], other[key])
        else:
            with pytest.raises(UserError, match="features_hash"):
                comparable(first[key], other[key])


def test_pairs_on_one_reference_need_no_more_error_than_apart(sets):
    from adversaria.metrics.estimate import difference

    a = measure(sets, ["frechet"], 0).estimates["frechet"]
    b = measure(sets.with_samples(samples(seed=1), None), ["frechet"], 0).estimates["frechet"]
    found = difference(a, b)
    assert isinstance(found, Estimate) and found.protocol["paired"] == "on the reference"
    assert found.error < float(np.hypot(a.error, b.error))


def test_other_people_s_names_lead_to_ours():
    for theirs, ours in (("FID", "frechet"), ("kid", "kernel"), ("IS", "classifier-score")):
        with pytest.raises(UserError, match=f"here it is '{ours}'"):
            suite.wanted([theirs])
