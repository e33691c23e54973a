"""Features trained on the data: once, kept, and only where they rank what is known to be worse."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria.errors import UserError
from adversaria.evaluation import trained as by
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.controls import faults
from adversaria.evaluation.trained import trained


@pytest.fixture(scope="module")
def digits():
    return adv.load("digits")


@pytest.fixture(scope="module")
def first(digits, tmp_path_factory):
    """The features as they were trained, and the cache they lie in."""
    cache = tmp_path_factory.mktemp("cache")
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    features = trained(digits, cache)
    assert torch.equal(state, torch.get_rng_state()) and torch.get_num_threads() == threads
    return features, cache


@pytest.fixture
def never(monkeypatch):
    def fit(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(by, "_fit", fit)


@pytest.fixture
def brief(monkeypatch):
    """Training that takes no time, and no examination."""
    monkeypatch.setattr(by, "STEPS", 3)
    monkeypatch.setattr(by, "faults", lambda features, data: [])


def test_classifier_knows_held_out_digits(digits, first):
    features, _ = first
    held = digits.examples(digits.size("test"), "test")
    assert features.accuracy > 0.9 and f"{features.accuracy:.1%}" in features.note
    accuracy = (features.logits(held.x).argmax(1) == held.labels).float().mean()
    assert accuracy > 0.9 and features.logits(held.x).shape == (len(held.x), 10)
    assert features(held.x).shape == (len(held.x), features.d) and features.d == 32
    valid = digits.examples(digits.size("valid"), "valid")
    found = (features.logits(valid.x).argmax(1) == valid.labels).float().mean()
    assert features.accuracy == pytest.approx(float(found))


def test_features_are_of_unit_scale(digits, first):
    x = first[0](digits.examples(digits.size("train"), "train").x)
    assert x.mean(0).abs().max() < 1e-4
    assert x.var(0).mean() == pytest.approx(1, rel=1e-4)


def test_they_rank_the_controls(digits, first):
    assert faults(first[0], digits) == []


def test_the_second_call_trains_nothing_and_touches_no_generator(digits, first, never):
    features, cache = first
    torch.manual_seed(7)
    state = torch.get_rng_state()
    again = trained(digits, cache)
    assert torch.equal(state, torch.get_rng_state())
    x = digits.examples(50, "test").x
    assert (again.hash, again.name, again.accuracy, again.note) == (
        features.hash, features.name, features.accuracy, features.note
    )  # fmt: skip
    assert torch.equal(again(x), features(x)) and torch.equal(again.logits(x), features.logits(x))


def test_another_data_set_is_another_ruler(digits, first, never):
    changed = replace(digits, labels=(digits.labels + 1) % 10)
    with pytest.raises(AssertionError, match="trained again"):
        trained(changed, first[1])


def test_training_is_a_function_of_the_data(digits, brief, tmp_path):
    found = []
    for i in range(2):
        torch.manual_seed(i)
        found.append(trained(digits, tmp_path / str(i)))
    assert found[0].hash == found[1].hash
    x = digits.examples(5, "test").x
    assert torch.equal(found[0](x), found[1](x))


def test_the_cache_is_where_the_environment_says(digits, brief, tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "there"))
    features_for(digits, "trained")
    assert sorted(p.suffix for p in (tmp_path / "there").iterdir()) == [".json", ".safetensors"]


@pytest.mark.parametrize("harm", ["truncated", "empty", "turned", "no json", "half json", "list", "other", "no faults",
                                  "no weights"])  # fmt: skip
def test_a_damaged_cache_is_made_anew(digits, brief, tmp_path, monkeypatch, harm):
    whole = trained(digits, tmp_path)
    (weights,), (told,) = tmp_path.glob("*.safetensors"), tmp_path.glob("*.json")
    content, facts = weights.read_bytes(), json.loads(told.read_text())
    match harm:
        case "truncated":
            weights.write_bytes(content[:-5])
        case "empty":
            weights.write_bytes(b"")
        case "turned":
            weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "no json":
            told.unlink()
        case "half json":
            told.write_text(told.read_text()[:20])
        case "list":
            told.write_text("[]")
        case "other":
            told.write_text(json.dumps(facts | {"hash": "0" * 12}))
        case "no faults":
            told.write_text(json.dumps({"hash": facts["hash"]}))
        case "no weights":
            weights.unlink()
    calls, fit = [], by._fit
    monkeypatch.setattr(by, "_fit", lambda *args: (calls.append(1), fit(*args)))
    again = trained(digits, tmp_path)
    assert calls == [1] and again.hash == whole.hash
    assert weights.read_bytes() == content and json.loads(told.read_text()) == facts
    trained(digits, tmp_path)
    assert calls == [1]
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}  # nothing half written


def test_a_cache_that_cannot_be_written_is_no_error(digits, brief, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert trained(digits, blocked / "cache").d == 32


def test_concurrent_training_leaves_a_whole_cache(digits, brief, tmp_path, monkeypatch):
    network = by.Network(digits.spec, 32)
    content = by.save(network.state_dict())
    facts = {"hash": by.hashlib.sha256(content).hexdigest()[:12], "quality": 1, "centre": [], "scale": 1, "faults": []}
    threads = [threading.Thread(target=by._write, args=(tmp_path / "a.safetensors", content, facts)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert by._read(tmp_path / "a.safetensors") == (content, facts)


def test_features_that_do_not_rank_are_refused_now_and_from_the_cache(digits, brief, tmp_path, monkeypatch):
    monkeypatch.setattr(by, "faults", lambda features, data: ["blur gives 0.5: 3, 1: 2", "noise gives nothing"])
    for _ in range(2):
        with pytest.raises(UserError, match=r"digits don't rank the controls: blur gives .*; noise.*use --features"):
            trained(digits, tmp_path)
        monkeypatch.setattr(by, "_fit", None)  # the second time they aren't trained


def test_images_whose_features_are_refused_are_measured_in_components(digits, brief, tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path))
    monkeypatch.setattr(by, "faults", lambda features, data: ["blur gives nothing"])
    found = features_for(digits)
    assert found.name == "PCA-32" and "blur gives nothing" in found.note and "training variance" in found.note


def test_untrained_features_fail_the_examination(digits):
    """Features that see one corner only don't rank what is done to the whole image."""
    blind = by.Features("corner", "ab", 2, lambda x: x.flatten(1)[:, [0, 7]] + 1e-3 * x.flatten(1)[:, 1:3])
    assert faults(blind, digits)


def test_data_without_labels_get_an_autoencoder(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(by, "STEPS", 400)
    found = trained(replace(digits, labels=None, spec=replace(digits.spec, classes=0)), tmp_path)
    assert found.name == "trained autoencoder" and found.logits is None
    assert 0.6 < found.accuracy < 1 and f"explains {found.accuracy:.1%}" in found.note


def test_share_explained_by_a_mean_is_none(digits):
    class Mean(torch.nn.Module):
        def __init__(self, x):
            super().__init__()
            self.body, self.mean = torch.nn.Identity(), x.mean(0)
            self.head = lambda y: self.mean.expand_as(y)

    data = replace(digits, labels=None)
    held = data.examples(data.size("valid"), "valid", seed=0).x
    assert by._quality(Mean(held), data) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["ring8", "text"])
def test_points_and_sequences_have_none(name, tmp_path):
    if name == "text":
        data = adv.load("ring8")
        data = replace(data, spec=replace(data.spec, kind="sequence", categories=4))
    else:
        data = adv.load(name)
    with pytest.raises(UserError, match="use --features pixels"):
        trained(data, tmp_path)


@pytest.mark.parametrize(("shape", "body"), [((1, 8, 8), 256), ((3, 17, 20), 64 * 3 * 3)])
def test_networks_fit_their_images(shape, body):
    spec = adv.DataSpec("image", shape, 4)
    network = by.Network(spec, 8)
    assert network.body[-1].in_features == body and by.width_of(network) == 8
    x = torch.zeros(2, *shape)
    assert network.head(network.body(x)).shape == (2, 4)
    plain = by.Network(replace(spec, classes=0), 8)
    assert plain.head(plain.body(x)).shape == x.shape


def test_shifts_move_an_image_by_a_tenth_at_most():
    x = torch.arange(400.0).reshape(1, 1, 20, 20)
    seen = {float(by._shifted(x)[0, 0, 10, 10] - x[0, 0, 10, 10]) for _ in range(300)}
    assert seen == {20.0 * a + b for a in range(-2, 3) for b in range(-2, 3)}
    assert torch.equal(by._shifted(x[..., :5, :5]), x[..., :5, :5])
    assert np.array_equal(by._shifted(torch.ones(3, 4)), torch.ones(3, 4))
