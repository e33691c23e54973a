"""Arithmetic coding, a model's law of each number, and files that come back bit for bit at the likelihood's size."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adversaria as adv
from adversaria import catalogue
from adversaria.api.compression import _HEADER, compress, decompress
from adversaria.cli import main
from adversaria.data import DataSpec
from adversaria.errors import UserError
from adversaria.ops.coding import TOTAL, Decoder, Encoder, counts
from adversaria.ordered import alphabet
from adversaria.runs.checking import Checker

ONE = {"made": {"masks": 1}, "deep-nade": {"orders": 1}}
LAWFUL = [
    name for name, entry in catalogue.entries().items()
    if entry.family == "autoregressive"
    and catalogue.make(name, "smoke", **ONE.get(name, {})).build(
        DataSpec("image", (1, 4, 4))).can("law")
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(2, 300), st.floats(0.01, 12))
def test_any_symbols_come_back_and_cost_what_their_laws_say(seed, n, levels, sharp):
    rng = np.random.default_rng(seed)
    log_p = sharp * rng.standard_normal((n, levels))
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    cumulative = counts(log_p)
    assert (cumulative[:, -1] == TOTAL).all() and (np.diff(cumulative, axis=1) >= 1).all()
    symbols = [int(rng.choice(levels, p=np.exp(row) / np.exp(row).sum())) for row in log_p]
    encoder = Encoder()
    for row, symbol in zip(cumulative, symbols, strict=True):
        encoder.put(row, symbol)
    code = encoder.finish()
    decoder = Decoder(code)
    assert [decoder.take(row) for row in cumulative] == symbols
    ideal = -sum(np.log2((row[s + 1] - row[s]) / TOTAL) for row, s in zip(cumulative, symbols, strict=True))
    assert ideal - 1e-6 <= 8 * len(code) <= ideal + 10


def test_what_is_all_but_impossible_can_still_be_coded():
    cumulative = counts(np.array([[0.0, -800.0, -800.0]] * 50))
    encoder = Encoder()
    for k in range(50):
        encoder.put(cumulative[k], k % 3)
    decoder = Decoder(encoder.finish())
    assert [decoder.take(row) for row in cumulative] == [k % 3 for k in range(50)]


def test_the_suite_sees_the_laws_there_are():
    assert set(LAWFUL) >= {
        "fvsbn",
        "neural-ar",
        "nade",
        "made",
        "deep-nade",
        "pixelcnn",
        "gated-pixelcnn",
        "pixelcnn-pp",
        "pixelrnn",
        "multiscale-pixelcnn",
    }


def game_of(name, spec):
    torch.manual_seed(0)
    game = adv.recipe(name, "smoke", **ONE.get(name, {})).build(spec)
    for p in game.parameters():
        p.data = p.data + 0.2 * torch.randn_like(p)
    return game


@pytest.mark.parametrize("shape", [(1, 3, 4), (3, 2, 2), (3, 1, 3)])
@pytest.mark.parametrize("name", LAWFUL)
@pytest.mark.usefixtures("float64")
def test_laws_sum_to_one_multiply_to_the_probability_and_never_look_ahead(name, shape):
    spec = DataSpec("image", shape)
    game = game_of(name, spec)
    levels = torch.randint(0, 256, (5, spec.size))
    x = alphabet(spec).from_levels(levels).double()
    law = game.law(x)
    assert law.shape == (5, spec.size, 256)
    torch.testing.assert_close(law.logsumexp(2), torch.zeros(5, spec.size), atol=1e-12, rtol=0)
    torch.testing.assert_close(law.gather(2, levels[..., None])[..., 0].sum(1), game.log_prob(x))
    torch.testing.assert_close(torch.stack([game.law(x, at=i) for i in range(spec.size)], 1), law)
    order = list(game.order or range(spec.size))
    assert sorted(order) == list(range(spec.size))
    for i in range(spec.size):
        later = levels.clone()
        later[:, order[i:]] = torch.randint(0, 256, (5, spec.size - i))
        changed = game.law(alphabet(spec).from_levels(later).double())
        before = order[: i + 1]
        assert torch.equal(changed[:, before], law[:, before]), f"number {i} sees itself or what comes after"
    moved = levels.clone()
    moved[:, order[0]] = 255 - moved[:, order[0]]
    assert not torch.equal(game.law(alphabet(spec).from_levels(moved).double())[:, order[1:]], law[:, order[1:]])


def test_levels_are_in_raster_order_and_come_back():
    spec = DataSpec("image", (3, 2, 2))
    x = torch.randint(0, 256, (4, 3, 2, 2)) / 127.5 - 1
    levels = alphabet(spec).to_levels(x)
    assert levels[0, :3].tolist() == ((x[0, :, 0, 0] + 1) * 127.5).round().tolist()
    torch.testing.assert_close(alphabet(spec).from_levels(levels), x)
    for kind, other in (("binary", {}), ("sequence", {"categories": 5})):
        spec = DataSpec(kind, (6,), **other)
        x = torch.randint(0, alphabet(spec).levels, (4, 6))
        back = alphabet(spec).from_levels(alphabet(spec).to_levels(x))
        assert torch.equal(back.long(), x) and (back.dtype == torch.long) == (kind == "sequence")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("compressed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        for name, data in (
            ("nade", "digits-static"),
            ("pixelcnn-pp", "digits"),
            ("multiscale-pixelcnn", "digits-static"),
            ("fvsbn", "oracle-tokens"),
            ("vae", "digits"),
        ):
            adv.train(adv.recipe(name, "smoke"), data, out=place / name)
        for name in ("neural-ar", "pixelcnn", "gated-pixelcnn", "pixelrnn"):
            adv.train(adv.recipe(name, "smoke"), "digits-static", out=place / name)
        adv.train(adv.recipe("made", "smoke"), "digits-static", out=place / "one mask")
        adv.train(adv.recipe("deep-nade", "smoke", orders=1), "digits-static", out=place / "deep-nade")
        adv.train(adv.recipe("made", "smoke", masks=2), "digits-static", out=place / "made")
        adv.train(adv.recipe("gated-pixelcnn", "smoke", conditional=True), "digits-static", out=place / "conditional")
    return place


@pytest.mark.parametrize(
    ("name", "n"),
    [("nade", 179), ("pixelcnn-pp", 10), ("fvsbn", 60), ("multiscale-pixelcnn", 150), ("deep-nade", 150),
     ("neural-ar", 100), ("one mask", 100), ("pixelcnn", 100), ("gated-pixelcnn", 100), ("pixelrnn", 100)],
)  # fmt: skip
def test_a_file_has_the_size_that_the_likelihood_promises_and_comes_back(runs, name, n):
    run = adv.load_run(runs / name)
    x = run.data.examples(n, "test").x
    found = compress(run, x)
    assert found.n == n and found.numbers == n * run.data.spec.size
    assert abs(found.payload / found.ideal - 1) < 0.01
    assert torch.equal(decompress(adv.load_run(runs / name), found.code), x)


def test_the_coder_asks_for_one_number_at_a_time(runs, monkeypatch):
    run = adv.load_run(runs / "nade")
    asked, law = [], run.game.abilities["law"]
    monkeypatch.setitem(run.game.abilities, "law", lambda x, at=None: asked.append(at) or law(x, at=at))
    compress(run, run.data.examples(30, "test").x)
    assert asked == list(range(run.data.spec.size))


def test_a_law_that_tells_all_numbers_at_once_is_cut():
    game = adv.recipe("nade", "smoke").build(DataSpec("binary", (5,)))
    x, law = torch.randint(0, 2, (3, 5)).float(), game.abilities["law"]
    game.abilities["law"] = lambda x: law(x)
    assert torch.equal(game.law(x, at=2), game.law(x)[:, 2])


def test_at_a_shell(runs, tmp_path, capsys):
    out = tmp_path / "a.adv"
    assert main(["compress", str(runs / "nade"), "-n", "60", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "60 test examples of digits-static" in told and "by the likelihood" in told
    assert main(["decompress", str(runs / "nade"), str(out)]) == 0
    data = adv.load_run(runs / "nade").data
    samples = np.load(tmp_path / "a.npz")["samples"]
    assert np.array_equal(samples, data.spec.to_user(data.examples(60, "test").x))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda code: b"PNG!" + code[4:], "no file that 'adversaria compress' wrote"),
        (lambda code: code[:10], "no file that 'adversaria compress' wrote"),
        (lambda code: code[:4] + bytes([9]) + code[5:], "format 9"),
        (lambda code: code[:9] + bytes(8) + code[17:], "other weights"),
        (lambda code: code[: _HEADER.size] + bytes(len(code) - _HEADER.size), "doesn't come back as it was"),
    ],
)
def test_a_file_that_isn_t_right_is_told(runs, spoil, said):
    run = adv.load_run(runs / "nade")
    code = compress(run, run.data.examples(10, "test").x).code
    with pytest.raises(UserError, match=said):
        decompress(run, spoil(code))


def test_a_model_without_a_law_is_told(runs, capsys):
    assert main(["compress", str(runs / "vae")]) == 2
    assert "no exact law" in capsys.readouterr().err
    assert main(["compress", str(runs / "made")]) == 2
    told = capsys.readouterr().err
    assert "a mean over several orders" in told and len(told.strip().splitlines()) == 1
    assert main(["compress", str(runs / "conditional")]) == 2
    told = capsys.readouterr().err
    assert "needs the label of an example" in told and len(told.strip().splitlines()) == 1
    assert main(["decompress", str(runs / "nade"), "nothing.adv"]) == 2
    assert "no file nothing.adv" in capsys.readouterr().err


def test_every_state_of_two_bits_has_its_own_code():
    cumulative = counts(np.log([[0.7, 0.3], [0.2, 0.8]]))
    codes = set()
    for bits in itertools.product((0, 1), repeat=2):
        encoder = Encoder()
        for row, bit in zip(cumulative, bits, strict=True):
            encoder.put(row, bit)
        codes.add(encoder.finish())
    assert len(codes) == 4
