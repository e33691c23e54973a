"""Black and white images: coins that belong to their pixel, and what a batch draws anew."""

import numpy as np
import pytest
import torch
from scipy import stats

import adversaria as adv
from adversaria.data import load
from adversaria.data.bits import Bits, binarise, uniform
from adversaria.data.storage import Memory
from adversaria.errors import UserError


def greys(n=40, shape=(5, 4, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


def test_coins_belong_to_their_place_and_are_uniform():
    index = np.arange(3_000)
    u = uniform(0, index, 64)
    assert np.array_equal(uniform(0, index[[7, 2, 7]], 64), u[[7, 2, 7]])
    assert u.min() >= 0 and u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    for lag in (1, 64):  # along a row, and from one example to the next
        assert abs(np.corrcoef(u.ravel()[:-lag], u.ravel()[lag:])[0, 1]) < 0.01
    assert abs(np.corrcoef(u.ravel(), uniform(1, index, 64).ravel())[0, 1]) < 0.01


def test_a_pixel_is_white_with_the_probability_that_its_intensity_tells():
    levels = np.array([0, 1, 51, 128, 204, 254, 255], np.uint8)
    values = np.repeat(levels, 20_000).reshape(-1, 1, 1, 1)
    bits = Bits(Memory(values)).gather(np.arange(len(values))).numpy().reshape(7, -1)
    assert set(np.unique(bits)) == {0, 255}
    share, expected = (bits == 255).mean(1), levels / 255
    assert share[0] == 0 and share[-1] == 1
    assert (abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 20_000) + 1e-12).all()


def test_static_images_are_the_same_for_everyone_and_in_every_batch():
    data, again = load(greys(), binarise="static"), load(greys(), binarise="static")
    assert data.spec.levels == 2 and data.name == "array-static" and "seed 0" in data.notes[-1]
    x = data.examples(30).x
    assert set(x.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(x, again.examples(30).x) and data.fingerprint == again.fingerprint
    seen = {tuple(row.flatten().tolist()) for step in range(40) for row in data.batches(8, seed=3).at(step).x}
    assert seen == {tuple(row.flatten().tolist()) for row in data.examples(data.size("train")).x}


def rows(x):
    return {tuple(row.flatten().tolist()) for row in x}


def test_dynamic_batches_draw_anew_and_held_out_images_don_t():
    data, static = load(greys(), binarise="dynamic"), load(greys(), binarise="static")
    assert data.fingerprint != static.fingerprint
    for split in data.splits:
        assert torch.equal(data.examples(3, split).x, static.examples(3, split).x)
    batches = data.batches(data.size("train"), seed=0)
    first, second = batches.at(0).x, batches.at(1).x
    assert set(first.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(first, data.batches(data.size("train"), seed=0).at(0).x)
    assert rows(first) != rows(second), "drawn anew"
    valid = data.batches(data.size("valid"), seed=0, split="valid")
    assert rows(valid.at(0).x) == rows(valid.at(1).x), "held out, the same"
    grey = torch.from_numpy(greys()[data.splits["train"]]).float() / 127.5 - 1
    mean = torch.stack([batches.at(k).x.mean(0) for k in range(300)]).mean(0)
    assert (mean[0, :, :] - grey.mean(0)[..., 0]).abs().max() < 0.1


def test_dynamic_draws_don_t_depend_on_how_the_images_lie(tmp_path):
    images = greys(60, (6, 6, 3))
    np.save(tmp_path / "a.npy", images)
    kept = load(images, binarise="dynamic")
    packed = load(tmp_path / "a.npy", binarise="dynamic", memory=0, cache=tmp_path / "cache")
    one, two = (data.batches(16, seed=5).at(7).x for data in (kept, packed))
    assert torch.equal(one, two)
    assert torch.equal(kept.examples(20).x, packed.examples(20).x) and kept.fingerprint == packed.fingerprint


def test_labels_domains_and_hidden_labels_go_with_dynamic_bits():
    data = load("digits-dynamic")
    batch, plain = (d.batches(64, seed=0).at(0) for d in (data, load("digits")))
    assert torch.equal(batch.labels, plain.labels)
    assert ((batch.x == 1) <= (plain.x > -1)).all() and ((batch.x == -1) <= (plain.x < 1)).all()
    few = data.with_labels(20).batches(16, seed=0).at(0)
    assert set(few.labelled.x.unique().tolist()) == {-1.0, 1.0} and len(few.labelled.labels) == 16
    pair = data.domains_of(3, 8).batches(16, seed=0).at(0)
    assert set(pair.y.unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("mode", ["static", "dynamic"])
def test_data_with_a_name_load_again_by_it(mode):
    name = f"digits-{mode}"
    data, made = load(name), load("digits", binarise=mode)
    assert data.name == name and data.options == {"source": name}
    assert load(**data.options).fingerprint == data.fingerprint == made.fingerprint
    assert load(**made.options).fingerprint == data.fingerprint
    assert binarise(load("digits"), mode).fingerprint == data.fingerprint


def test_fingerprints_of_grey_images_are_as_they_were():
    assert b"levels" not in load("digits").spec.told() and b"levels" in load("digits-static").spec.told()


@pytest.mark.parametrize(
    ("source", "mode", "said"),
    [
        ("ring8", "static", "these are points data, and images are what binarise is for"),
        ("digits-static", "static", "in black and white already"),
        ("digits", "statik", "unknown binarise 'statik'; did you mean 'static'"),
    ],
)
def test_what_can_t_be_made_black_and_white_is_told(source, mode, said):
    with pytest.raises(UserError, match=said):
        load(source, binarise=mode)


def test_stacks_of_bits_are_static():
    assert load("digits", binarise="static", stacked=True).spec.levels == 2
    with pytest.raises(UserError, match="take binarise='static'"):
        load("digits", binarise="dynamic", stacked=True)


def test_a_run_on_dynamic_bits_goes_on_as_if_it_had_not_stopped(tmp_path):
    recipe = adv.recipe("made", "smoke", rounds=6)
    whole = adv.train(recipe, "digits-dynamic", out=tmp_path / "a", seed=0)
    adv.train(recipe, "digits-dynamic", out=tmp_path / "b", seed=0, minutes=1e-7)
    parts = adv.load_run(tmp_path / "b")
    parts.play()
    for one, two in zip(whole.game.state_dict().values(), parts.game.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    found = whole.evaluate(metrics=["likelihood"], n=100)["estimates"][0]
    assert found["unit"] == "nats" and found["protocol"]["data_kind"] == "binary"
    assert found["protocol"]["data"] == "digits-dynamic"


def test_the_score_of_a_run_on_bits_is_in_nats(tmp_path):
    run = adv.train(adv.recipe("made", "smoke", rounds=4), "digits-static", out=tmp_path / "a", seed=0)
    told = run.history("score")
    assert told and all("bits/dim" not in str(row) and "8-bit" not in str(row) for row in told)
