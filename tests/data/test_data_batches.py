import numpy as np
import pytest
import torch
from data_helpers import classes, folder_of
from hypothesis import given, settings
from hypothesis import strategies as st

from adversaria.data import Dataset, load
from adversaria.errors import UserError


def same(a, b):
    pairs = ((a.x, b.x), (a.labels, b.labels), (a.y, b.y))
    return all((p is None and q is None) or torch.equal(p, q) for p, q in pairs)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def stored_twice(tmp_path_factory):
    """The same images in memory and streamed from a packed file."""
    root = folder_of(tmp_path_factory.mktemp("images"), classes(40))
    cache = tmp_path_factory.mktemp("cache")
    return load(root), load(root, memory=0, cache=cache)


def test_a_batch_is_a_function_of_seed_and_step_alone(digits):
    one, other = digits.batches(64, seed=3), digits.batches(64, seed=3)
    steps = [70, 0, 23, 22, 5, 1000, 0]
    forward = {step: one.at(step) for step in sorted(steps)}
    assert all(same(forward[step], other.at(step)) for step in steps)
    assert not same(one.at(0), digits.batches(64, seed=4).at(0))
    assert not same(one.at(0), one.at(1))


def test_iteration_is_at_0_at_1_and_so_on(digits):
    batches = digits.batches(16, seed=0)
    for step, batch in zip(range(3), batches, strict=False):
        assert same(batch, batches.at(step))


@given(size=st.integers(1, 13), seed=st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_every_epoch_shows_every_example_once(size, seed):
    data = load(np.arange(13.0)[:, None])
    n = data.size()
    size = min(size, n)
    batches = data.batches(size, seed=seed)
    steps = -(-3 * n // size)
    row = torch.cat([batches.at(step).x[:, 0] for step in range(steps)]).numpy()
    for epoch in range(3):
        assert sorted(row[epoch * n : (epoch + 1) * n]) == sorted(data.splits["train"].tolist())
    assert batches.steps_per_epoch == -(-n // size)


def test_labels_go_with_their_images(digits):
    batch = digits.batches(32, seed=0, split="test").at(2)
    everything = digits.spec.to_game(digits.store.gather(np.arange(len(digits))))
    for x, label in zip(batch.x, batch.labels, strict=True):
        place = int((everything - x).abs().flatten(1).sum(1).argmin())
        assert torch.equal(everything[place], x)
        assert digits.labels[place] == label


def test_memory_and_stream_give_the_same_bits(stored_twice):
    memory, stream = stored_twice
    assert memory.fingerprint == stream.fingerprint
    a, b = memory.batches(7, seed=1), stream.batches(7, seed=1)
    for step in (0, 1, 2, 9, 3, 3, 40):
        assert same(a.at(step), b.at(step))
        assert a.at(step).x.stride() == b.at(step).x.stride()
    assert same(memory.examples(4, seed=2), stream.examples(4, seed=2))


def test_converted_and_unconverted_images_have_the_same_bits(digits, monkeypatch):
    ready = digits.batches(8, seed=0).at(1)
    monkeypatch.setattr("adversaria.data.lookup._CONVERTED_BYTES", 0)
    assert same(ready, digits.batches(8, seed=0).at(1))


def test_game_form_is_what_the_spec_says(digits):
    x = digits.batches(64, seed=0).at(0).x
    assert x.shape == (64, 1, 8, 8)
    assert x.dtype == torch.float32
    assert x.min() == -1
    assert x.max() == 1
    raw = digits.store.gather(digits.splits["train"][:5])
    assert np.array_equal(digits.spec.to_user(digits.spec.to_game(raw)), raw.numpy())


def test_batches_do_not_share_memory_with_the_data(digits):
    batches = digits.batches(8, seed=0)
    before = batches.at(0).x.clone()
    batches.at(0).x.zero_()
    assert torch.equal(batches.at(0).x, before)


def test_two_domains_are_unpaired_and_of_their_classes(digits):
    view = digits.domains_of(3, 8)
    assert view.spec.domains == 2
    assert view.spec.classes == 0
    assert view.fingerprint != digits.fingerprint
    assert view.fingerprint == load("digits", domains=(3, 8)).fingerprint
    assert view.options == {"source": "digits", "domains": [3, 8]}
    for split in ("train", "valid", "test"):
        for index, label in zip(view.members(split), (3, 8), strict=True):
            assert (digits.labels[index] == label).all()
    one = view.batches(20, seed=0).at(1)
    assert one.x.shape == one.y.shape == (20, 1, 8, 8)
    assert one.labels is None
    n = min(map(len, view.members("train")))
    whole = view.batches(n, seed=0)
    assert not torch.equal(whole.at(0).x, whole.at(1).x)
    assert whole.steps_per_epoch == -(-max(map(len, view.members("train"))) // n)


def test_streamed_domains_equal_those_in_memory(stored_twice):
    memory, stream = (data.domains_of("dog", "cat") for data in stored_twice)
    for step in (0, 5, 1):
        assert same(memory.batches(5, seed=0).at(step), stream.batches(5, seed=0).at(step))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda d: d.batches(5000, seed=0), "use --batch 1439 at most"),
        (lambda d: d.batches(0, seed=0), "--batch"),
        (lambda d: d.batches(4, seed=0, split="tset"), "did you mean 'test'"),
        (lambda d: d.batches(4, seed=-1).at(0), "a seed is 0 or more"),
        (lambda d: d.examples(10**6), "ask for 1439 at most"),
        (lambda d: d.domains_of(3, 3), "the same class"),
        (lambda d: d.domains_of(3, 11), "unknown class '11'"),
        (lambda d: load("swiss-roll").domains_of(0, 1), "has no labels"),
        (lambda d: load("digits", domains="38"), "expected two classes"),
    ],
)
def test_what_cannot_be_asked_of_a_data_set_says_so_in_one_line(digits, ask, said):
    with pytest.raises(UserError, match=said) as caught:
        ask(digits)
    assert "\n" not in str(caught.value)


def test_examples_are_the_first_or_a_seeded_draw_without_repeats(digits):
    first = digits.examples(5)
    assert torch.equal(first.labels, torch.from_numpy(digits.labels[digits.splits["train"][:5]]))
    drawn = digits.examples(1439, seed=1)
    assert sorted(drawn.labels.tolist()) == sorted(digits.labels[digits.splits["train"]].tolist())
    assert same(digits.examples(9, seed=1), digits.examples(9, seed=1))
    assert not same(digits.examples(9, seed=1), digits.examples(9, seed=2))


def test_splits_are_disjoint_complete_and_fixed(digits):
    for data in (digits, load("ring8"), load(np.zeros((3, 4, 4), np.uint8))):
        index = np.concatenate([data.splits[s] for s in ("train", "valid", "test")])
        assert np.array_equal(np.sort(index), np.arange(len(data)))
        assert all(data.size(s) > 0 for s in ("train", "valid", "test"))
    assert np.array_equal(load("digits").splits["test"], digits.splits["test"])


def test_loading_a_data_set_returns_it(digits):
    assert load(digits) is digits
    assert isinstance(load(digits, domains=(0, 1)), Dataset)
