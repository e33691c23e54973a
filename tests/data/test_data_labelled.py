"""Few labels: which examples show theirs, what a batch carries, and that nobody can learn the others'."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from data_helpers import classes, folder_of
from hypothesis import given, settings
from hypothesis import strategies as st

from adversaria.data import load
from adversaria.errors import UserError

TIMES = 6


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def stored_twice(tmp_path_factory):
    """The same images in memory and streamed from a packed file."""
    root = folder_of(tmp_path_factory.mktemp("images"), classes(40, names=("cat", "dog", "emu")))
    cache = tmp_path_factory.mktemp("cache")
    return load(root), load(root, memory=0, cache=cache)


def tensors(batch):
    return [batch.x, batch.labels, batch.y, *([] if batch.labelled is None else tensors(batch.labelled))]


def same(a, b):
    pairs = list(zip(tensors(a), tensors(b), strict=True))
    return all((p is None and q is None) or torch.equal(p, q) for p, q in pairs)


@pytest.mark.parametrize("n", [10, 50, 100, 103, 1439])
def test_the_labels_that_show_are_as_even_over_classes_as_they_come(digits, n):
    view = digits.with_labels(n, seed=3)
    assert len(np.unique(view.labelled)) == n
    assert np.isin(view.labelled, digits.splits["train"]).all()
    shown, there = (
        np.bincount(digits.labels[index], minlength=10) for index in (view.labelled, digits.splits["train"])
    )
    for k in range(10):  # no class could take one more from another that has two more than it
        assert shown[k] == there[k] or shown[k] >= shown.max() - 1


@given(counts=st.lists(st.integers(1, 9), min_size=2, max_size=5), data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_rare_class_gives_all_it_has_and_the_others_make_up_for_it(counts, data):
    labels = np.repeat(np.arange(len(counts)), counts)
    whole = load((np.arange(float(len(labels)))[:, None], labels)) if len(labels) > 2 else None
    if whole is None:
        return
    there = np.bincount(labels[whole.splits["train"]], minlength=len(counts))
    n = data.draw(st.integers((there > 0).sum(), there.sum()))
    shown = np.bincount(labels[whole.with_labels(n, seed=1).labelled], minlength=len(counts))
    assert shown.sum() == n
    assert all(s == t or s >= shown.max() - 1 for s, t in zip(shown, there, strict=True))


def test_which_ones_is_a_function_of_the_data_and_the_seed(digits):
    one = digits.with_labels(50, seed=1)
    assert np.array_equal(one.labelled, load("digits").with_labels(50, seed=1).labelled)
    others = [digits.with_labels(50, seed=s).labelled for s in (0, 2, 3)]
    assert all(len(np.intersect1d(one.labelled, other)) < 15 for other in others)
    assert set(one.labelled) < set(digits.with_labels(90, seed=1).labelled), "more labels are more, not others"


def test_a_batch_shows_the_labels_of_few_and_examples_of_all(digits):
    view = digits.with_labels(30, seed=0)
    batches = view.batches(64, seed=0)
    seen, shown = set(), []
    everything = digits.spec.to_game(digits.store.gather(np.arange(len(digits)))).flatten(1)
    for step in range(batches.steps_per_epoch):
        batch = batches.at(step)
        assert batch.labels is None and batch.y is None and len(batch) == len(batch.labelled) == 64
        assert batch.labelled.labelled is None
        places = (everything[None] == batch.labelled.x.flatten(1)[:, None]).all(2).int().argmax(1).numpy()
        assert np.array_equal(digits.labels[places], batch.labelled.labels.numpy())
        assert set(places) <= set(view.labelled)
        seen |= {tuple(row) for row in batch.x.flatten(1).tolist()}
        shown += list(places)
    train = everything[digits.splits["train"]].tolist()
    assert seen == {tuple(row) for row in train}, "the labelled examples are among the others too"
    for turn in range(len(shown) // 30):
        assert sorted(shown[30 * turn : 30 * turn + 30]) == sorted(view.labelled), "each once before any again"


@given(size=st.integers(1, 40), n=st.integers(3, 9), start=st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_labels_fewer_than_a_batch_go_round_in_whole_turns(size, n, start):
    whole = load((np.arange(60.0)[:, None], np.arange(60) % 3))
    batches = whole.with_labels(n, seed=2).batches(size, seed=5)
    row = torch.cat([batches.at(step).labelled.x[:, 0] for step in range(start + TIMES)]).int().tolist()
    for turn in range(len(row) // n):
        assert sorted(row[n * turn : n * turn + n]) == sorted(set(row[:n]))
    fresh = whole.with_labels(n, seed=2).batches(size, seed=5)
    assert same(fresh.at(start), batches.at(start)), "a batch is a function of seed and step alone"


def test_labelled_and_unlabelled_examples_are_drawn_apart(digits):
    """The unlabelled half is that of the data with all labels; the other half goes its own way."""
    view = digits.with_labels(100, seed=0)
    one, whole = view.batches(20, seed=4), digits.batches(20, seed=4)
    for step in (0, 3, 80):
        assert torch.equal(one.at(step).x, whole.at(step).x)
    assert not torch.equal(one.at(0).labelled.x, one.at(5).labelled.x), "the second turn has another order"


def test_no_batch_and_no_fact_depends_on_the_labels_that_are_hidden(digits):
    view = digits.with_labels(40, seed=0)
    hidden = np.setdiff1d(digits.splits["train"], view.labelled)
    false = digits.labels.copy()
    false[hidden] = np.random.default_rng(0).permutation(false[hidden])
    assert (false != digits.labels).sum() > 1000
    liar = replace(view, labels=false)
    a, b = view.batches(64, seed=1), liar.batches(64, seed=1)
    for step in range(60):
        assert same(a.at(step), b.at(step))


def test_held_out_examples_keep_their_labels(digits):
    view = digits.with_labels(20, seed=0)
    for split in ("valid", "test"):
        assert same(view.batches(50, seed=0, split=split).at(1), digits.batches(50, seed=0, split=split).at(1))
        assert same(view.examples(50, split), digits.examples(50, split))


def test_memory_and_stream_show_the_same(stored_twice):
    memory, stream = (data.with_labels(7, seed=1) for data in stored_twice)
    assert memory.fingerprint == stream.fingerprint
    a, b = memory.batches(9, seed=0), stream.batches(9, seed=0)
    for step in (0, 1, 12, 3, 3):
        assert same(a.at(step), b.at(step))


def test_the_view_can_be_had_again_from_its_options_and_is_known_by_its_fingerprint(digits):
    view = digits.with_labels(50, seed=2)
    assert view.options == {"source": "digits", "labelled": [50, 2]}
    again = load(**view.options)
    assert again.fingerprint == view.fingerprint == load("digits", labelled=(50, 2)).fingerprint
    prints = {digits.fingerprint, *(digits.with_labels(n, s).fingerprint for n, s in ((50, 2), (50, 1), (51, 2)))}
    assert len(prints) == 4
    assert view.notes[-1] == "50 of 1,439 training examples show their labels, 5 a class (seed 2)"
    assert load("digits", labelled=25).notes[-1].endswith("2 to 3 a class (seed 0)")


def test_the_whole_of_a_view_is_the_data_as_they_were(digits):
    whole = digits.with_labels(50, seed=2).whole
    assert whole.fingerprint == digits.fingerprint
    assert (whole.options, whole.notes, whole.labelled) == (digits.options, digits.notes, None)
    assert digits.whole is digits


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda d: d.with_labels(9), "10 classes.*--labels 10"),
        (lambda d: d.with_labels(5000), "1,439 training examples.*--labels 1439"),
        (lambda d: d.with_labels(50, seed=-1), "a seed is 0 or more"),
        (lambda d: d.with_labels(50).with_labels(20), "hides labels already"),
        (lambda d: load("swiss-roll").with_labels(10), "has no labels"),
        (lambda d: d.domains_of(0, 1).with_labels(10), "has no labels"),
        (lambda d: d.with_labels(50).domains_of(0, 1), "hides labels, so no domains"),
        (lambda d: load(d.with_labels(50), stacked=True), "hides labels, and a stack"),
        (lambda d: load("digits", labelled="50"), "how many examples show their labels"),
        (lambda d: load("digits", labelled=(50, 1, 2)), "how many examples show their labels"),
    ],
)
def test_what_cannot_be_hidden_says_so_in_one_line(digits, ask, said):
    with pytest.raises(UserError, match=said) as caught:
        ask(digits)
    assert "\n" not in str(caught.value)
