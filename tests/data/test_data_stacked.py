"""Stacks: three images of one split as colours, put together when asked for, the same wherever they are loaded."""

import json
import resource

import numpy as np
import pytest
import torch
from data_helpers import SHARED, encoded, folder_of, noise

from adversaria.cli import main
from adversaria.data import SPEC, load, names
from adversaria.data.stacked import SIZES, base_of, stack
from adversaria.data.storage import Memory
from adversaria.errors import UserError


def grey(n=40, classes=4, seed=0, side=6):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side, side), dtype=np.uint8), np.arange(n) % classes


def test_a_stack_is_three_images_of_its_split_and_is_labelled_by_them():
    data, base = load("stacked-digits"), load("digits")
    for split in SIZES:
        members = set(base.splits[split].tolist())
        index = data.splits[split][:300]
        parts = data.store.parts[index]
        assert set(parts.flatten().tolist()) <= members
        got = data.store.gather(index).numpy()
        assert got.shape == (300, 8, 8, 3)
        assert got.dtype == np.uint8
        for channel in range(3):
            assert np.array_equal(got[..., channel], base.store.gather(parts[:, channel]).numpy()[..., 0])
        assert np.array_equal(data.labels[index], base.labels[parts] @ [100, 10, 1])
    assert {split: data.size(split) for split in SIZES} == SIZES == {"train": 128_000, "valid": 26_000, "test": 26_000}
    assert set(data.store.parts[data.splits["train"]].flatten().tolist()) == set(base.splits["train"].tolist())
    assert (data.spec.kind, data.spec.shape, data.spec.classes) == ("image", (3, 8, 8), 1000)
    assert base_of(data).fingerprint == base.fingerprint


def test_all_classes_occur_about_as_often_as_they_should():
    data = load("stacked-digits")
    labels = data.labels[data.splits["train"]]
    share = np.bincount(load("digits").labels[load("digits").splits["train"]]) / 1439
    law = np.einsum("i,j,k->ijk", share, share, share).flatten()
    counts = np.bincount(labels, minlength=1000)
    assert counts.min() > 60
    square = ((counts - 128_000 * law) ** 2 / (128_000 * law)).sum()
    assert abs(square - 999) < 4 * np.sqrt(2 * 999)
    uneven = 3 * (np.log(10) + (share * np.log(share)).sum())
    assert f"whose law lies {uneven:.3g} nats from equal shares" in data.notes[-1]


def test_the_name_the_option_and_the_function_agree():
    named, asked = load("stacked-digits"), load("digits", stacked=True)
    assert "stacked-digits" in names()
    assert named.name == asked.name == "stacked-digits"
    assert named.options == {"source": "stacked-digits"}
    assert asked.options == {"source": "digits", "stacked": True}
    prints = {data.fingerprint for data in (named, asked, stack(load("digits")), load(load("digits"), stacked=True),
                                            load(**named.options), load(**asked.options), load(named, stacked=True),
                                            load("stacked-digits", stacked=True))}  # fmt: skip
    assert len(prints) == 1
    assert prints != {load("digits").fingerprint}
    assert "seed 0" in named.notes[-1]
    larger = load("stacked-digits", size=16)
    assert larger.spec.shape == (3, 16, 16)
    assert load(**larger.options).fingerprint == larger.fingerprint


def test_the_digest_is_that_of_the_same_images_in_memory():
    data = load(grey(), stacked=True)
    whole = data.store.gather(np.arange(len(data))).numpy()
    assert data.store.digest() == Memory(whole).digest()
    other, labels = grey()
    other[7, 2, 3] ^= 1
    assert load((other, labels), stacked=True).fingerprint != data.fingerprint


def test_folders_packed_files_and_class_names_stack_too(tmp_path):
    files = {f"{'abc'[i % 3]}/{i:02d}.png": encoded(noise(6, 6, 1, seed=i)) for i in range(30)}
    path = folder_of(tmp_path / "letters", files)
    data = load(path, stacked=True)
    assert data.name == "stacked-letters"
    assert data.spec.classes == 27
    assert data.spec.class_names[:4] == ("a a a", "a a b", "a a c", "a b a")
    packed = load(path, stacked=True, memory=100, cache=tmp_path / "cache")
    assert packed.fingerprint == data.fingerprint
    index = np.array([5, 0, 131_000, 5])
    assert torch.equal(packed.store.gather(index), data.store.gather(index))
    assert SPEC.validate_json(SPEC.dump_json(data.spec)) == data.spec


def test_batches_are_a_function_of_seed_and_step():
    data = load("stacked-digits")
    a, b = data.batches(32, seed=1), data.batches(32, seed=1)
    for step in (0, 1, 2, 7, 3999, 4000):
        x, y = a.at(step), b.at(step)
        assert torch.equal(x.x, y.x)
        assert torch.equal(x.labels, y.labels)
    assert a.steps_per_epoch == 4000
    assert x.x.shape == (32, 3, 8, 8)
    assert float(x.x.min()) >= -1
    shown = data.examples(4, "test")
    assert np.array_equal(data.spec.to_user(shown.x), data.store.gather(data.splits["test"][:4]).numpy())


def test_two_stacks_can_be_two_domains():
    pair = load("stacked-digits", domains=(0, 999))
    assert pair.spec.domains == 2
    assert load(**pair.options).fingerprint == pair.fingerprint


@pytest.mark.parametrize(("source", "options", "message"), [
    ("ring8", {}, "ring8 holds points data; stacks are made of grey images"),
    (grey()[0], {}, "has no labels"),
    ("digits", {"channels": 3}, "images of 3 channels; .*channels=1"),
    ("digits", {"domains": (1, 2), "again": True}, "no labels"),
])  # fmt: skip
def test_what_makes_no_stacks_is_refused(source, options, message):
    again = options.pop("again", False)
    with pytest.raises(UserError, match=message):
        load(load(source, **options), stacked=True) if again else load(source, stacked=True, **options)


def test_only_stacks_have_a_base():
    with pytest.raises(UserError, match="digits holds no stacks"):
        base_of(load("digits"))


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="MNIST's files are not here")
def test_stacks_of_mnist_take_no_memory_of_their_own():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = load(SHARED / "mnist", stacked=True)
    batch = data.batches(64, seed=0).at(3)
    assert batch.x.shape == (64, 3, 28, 28)
    assert data.spec.classes == 1000
    assert (data.name, data.size()) == ("stacked-mnist", 128_000)
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert used < 250  # MNIST takes 55 and is read in two pieces; 180,000 stacks would take 400


def test_a_run_on_stacks_goes_on_and_samples(tmp_path, capsys):
    assert main(["train", "gan", "--data", "digits", "--stacked", "--dry-run"]) == 0
    assert "1,000 classes" in capsys.readouterr().out
    out = str(tmp_path / "a")
    assert main(["train", "gan", "--data", "digits", "--stacked", "--preset", "smoke", "--out", out]) == 0
    assert main(["resume", out, "--rounds", "8"]) == 0
    assert main(["sample", out, "-n", "4"]) == 0
    assert json.loads((tmp_path / "a" / "config.json").read_text())["data"] == {"source": "digits", "stacked": True}
