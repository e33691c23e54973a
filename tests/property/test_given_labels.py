"""Models that are given labels: p(x given y) is a distribution for each, and is never called p(x)."""

import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import adversaria as adv
from adversaria.cli import main
from adversaria.data import DataSpec, load
from adversaria.errors import UserError
from adversaria.evaluation.features import pixels
from adversaria.evaluation.likelihoods import likelihood
from adversaria.evaluation.sets import prepare
from adversaria.game import Adam, Game, Player
from adversaria.metrics import negative_log_likelihood, over_labels
from adversaria.metrics.estimate import comparable
from adversaria.nn.sampling import fixed_point, law_of
from adversaria.oracles import findings
from adversaria.ordered import alphabet
from adversaria.runs.checking import Checker
from adversaria.runs.score import score

SPEC = DataSpec("image", (1, 2, 4), classes=3, levels=2)
EVERY = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=8)), dtype=torch.float64).view(-1, 1, 2, 4)
RECIPE = adv.recipe("gated-pixelcnn", "smoke", conditional=True)


def given(k, n):
    return torch.full((n,), k)


def game_of(spec=SPEC):
    torch.manual_seed(5)
    game = RECIPE.build(spec).double()
    for p in game.parameters():
        p.data = p.data + 0.4 * torch.randn_like(p)
    game.networks["model"].head[-1].weight.data.mul_(4)  # labels that say nearly the same would prove little
    return game


def table(game):
    return torch.stack([game.log_prob(EVERY, given(k, 256)) for k in range(3)])


@pytest.mark.usefixtures("float64")
def test_every_label_has_a_distribution_of_its_own():
    p = table(game_of()).exp()
    torch.testing.assert_close(p.sum(1), torch.ones(3), atol=1e-12, rtol=0)
    assert min((p[a] - p[b]).abs().sum() for a, b in ((0, 1), (1, 2), (0, 2))) > 0.1


@pytest.mark.usefixtures("float64")
def test_examples_of_a_batch_go_by_their_own_labels():
    game, labels = game_of(), torch.arange(256) % 3
    torch.testing.assert_close(game.log_prob(EVERY, labels), table(game)[labels, torch.arange(256)])
    law = game.law(EVERY, labels)
    told = law.gather(2, alphabet(SPEC).to_levels(EVERY)[..., None])[..., 0].sum(1)
    torch.testing.assert_close(told, game.log_prob(EVERY, labels))


@pytest.mark.parametrize("hidden", [[5, 6, 7], [0, 3]])
@pytest.mark.usefixtures("float64")
def test_completions_have_the_law_given_the_label_and_what_is_known(hidden):
    game, known = game_of(), torch.ones(8, dtype=torch.bool)
    known[hidden] = False
    x = EVERY[150:151]
    alike = (x == EVERY).flatten(1)[:, known].all(1)
    labels = torch.arange(3).repeat(700)  # those of a batch differ: each line's candidates go by its own
    drawn = game.complete(x.expand(2_100, -1, -1, -1), known.view(1, 2, 4), labels, seed=0)
    place = ((drawn.flatten(1)[:, ~known] + 1) / 2).long() @ 2 ** torch.arange(len(hidden) - 1, -1, -1)
    laws = table(game)[:, alike].softmax(1)
    for k in range(3):
        found = torch.bincount(place[labels == k], minlength=len(laws[k])) / 700
        assert 0.5 * (found - laws[k]).abs().sum() < 0.07
    assert min((laws[a] - laws[b]).abs().sum() for a, b in ((0, 1), (1, 2), (0, 2))) > 0.3


@pytest.mark.usefixtures("float64")
def test_over_labels_it_is_a_distribution_of_examples_alone():
    game, shares = game_of(), (0.2, 0.0, 0.8)
    log_p = over_labels(game, shares)(EVERY)
    torch.testing.assert_close(log_p.exp(), torch.tensor(shares) @ table(game).exp())
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.usefixtures("float64")
def test_a_likelihood_given_labels_is_called_so_and_compared_with_no_other():
    game, labels = game_of(), torch.arange(256) % 3
    found = negative_log_likelihood(game, EVERY, data="binary", given=labels, chunk=100)
    assert found.value == pytest.approx(-float(game.log_prob(EVERY, labels).mean()))
    assert found.name == "negative log-likelihood given labels" and found.protocol["given"] == "labels"
    alone = negative_log_likelihood({"log_prob": over_labels(game, (1 / 3,) * 3)}, EVERY, data="binary")
    assert alone.name == "negative log-likelihood" and "given" not in alone.protocol
    with pytest.raises(UserError, match="different numbers"):
        comparable(found, alone)


def test_labels_that_are_missing_or_too_many_are_told():
    game, x = game_of(), EVERY[:4]
    for ask in (game.log_prob, game.law, lambda x, y=None: game.complete(x, torch.ones(1, 2, 4).bool(), y)):
        with pytest.raises(UserError, match="given labels; pass given= with 4 of them, got none"):
            ask(x)
        with pytest.raises(UserError, match="with 4 of them, got 3"):
            ask(x, given(0, 3))
    with pytest.raises(UserError, match="is given labels; pass given= with 4 of them"):
        negative_log_likelihood(game, x, data="binary")
    with pytest.raises(UserError, match="3 labels given with 4 examples"):
        negative_log_likelihood(game, x, data="binary", given=given(0, 3))
    plain = adv.recipe("gated-pixelcnn", "smoke").build(SPEC).double()
    with pytest.raises(UserError, match="leave given= out"):
        plain.log_prob(x, given(0, 4))
    with pytest.raises(UserError, match="conditional on labels"):
        negative_log_likelihood(plain, x, data="binary", given=given(0, 4))


class Told(nn.Module):
    """Logits of each bit from those before it, and far apart by label."""

    def __init__(self, d):
        super().__init__()
        self.W, self.b = nn.Parameter(torch.randn(d, d)), nn.Parameter(torch.tensor([[-1.5], [1.5]]).repeat(1, d))

    def forward(self, line, labels):
        return (line @ self.W.triu(1) + self.b[labels])[..., None]


def toy(spec):
    P, A = Told(spec.size), alphabet(spec)

    def log_prob(x, labels):
        return A.log_prob(A.line(x), P(A.line(x), labels)).sum(1)

    def sample(labels):
        return fixed_point(lambda line: P(line, labels), A, A.noise(len(labels), P.b))[0]

    player = Player("model", (P,), lambda batch: {"nll": -log_prob(batch.x, batch.labels).mean()}, Adam())
    return Game(player, networks={"model": P}, sample=sample, log_prob=log_prob, law=law_of(P, A), condition="label")


def spoilt(ability, wrong):
    def make(spec):
        game = toy(spec)
        right = game.abilities[ability]
        game.abilities[ability] = lambda *arguments: wrong(right, *arguments)
        return game

    return make


def ahead(law, x, y):
    return (law(x, y) * (2 + x[..., None])).log_softmax(2)  # each number sees itself


@pytest.mark.parametrize(
    ("make", "oracles"),
    [
        (toy, set()),
        (spoilt("log_prob", lambda f, x, y: f(x, y) + 0.01 * y), {"sums to one", "never looks ahead"}),
        (spoilt("log_prob", lambda f, x, y: f(x, 1 - y)), {"sampler", "never looks ahead"}),
        (spoilt("sample", lambda f, y: f(torch.zeros_like(y))), {"sampler"}),
        (spoilt("law", ahead), {"never looks ahead"}),
    ],
    ids=["right", "of one label only", "of the other label", "samples of one label", "looks ahead"],
)
def test_oracles_are_tried_under_each_label(make, oracles):
    found = list(findings(make, ("binary",)))
    assert {f.oracle for f in found if f.state == "fails"} == oracles
    assert {"sums to one", "sampler", "never looks ahead", "kind and seed"} == {f.oracle for f in found}
    assert all("given label 0: " in f.told and "given label 1: " in f.told for f in found)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("given") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        adv.train(RECIPE, "digits-static", out=place)
    return place


def test_evaluation_tells_both_likelihoods_and_which_is_which(run, capsys):
    asked = ["evaluate", str(run), "-n", "100", "--features", "pca", "--metrics", "likelihood"]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("negative log-likelihood given labels, exact, nats") for line in lines)
    told = json.loads((run / "evaluation.json").read_text())["estimates"]
    found = {e["metric"]: e for e in told}
    assert set(found) == {"likelihood", "likelihood-given-labels"}
    assert [e["name"] for e in told] == ["negative log-likelihood", "negative log-likelihood given labels"]
    again = adv.load_run(run)
    data, train = again.data, again.data.labels[again.data.splits["train"]]
    x = data.examples(100, "test", seed=0)
    shares = np.bincount(train, minlength=10) / len(train)
    with torch.no_grad():
        for metric, log_p in (
            ("likelihood", over_labels(again.game, shares.tolist())(x.x)),
            ("likelihood-given-labels", again.game.log_prob(x.x, x.labels)),
        ):
            assert abs(found[metric]["value"] + float(log_p.mean())) < 5 * found[metric]["error"]
    kept = score(again.game, data)
    assert kept.name == "held-out negative log-likelihood given labels" and kept.protocol["given"] == "labels"
    held = data.examples(min(1000, data.size("valid")), "valid", seed=0)
    assert kept.value == pytest.approx(-float(again.game.log_prob(held.x, held.labels).mean()), rel=1e-5)


def test_each_held_out_example_is_told_under_its_own_label_and_shares_are_the_training_split_s():
    data = load("digits-static")
    game = RECIPE.build(data.spec)
    game.abilities["log_prob"] = lambda x, y: x.flatten(1).sum(1) - y
    sets = prepare(data, data.examples(100, "train").x, pixels(data.spec), game=game)
    found, x, labels = likelihood(sets), sets.real_x.flatten(1).sum(1).double(), data.labels[sets.real_places]
    assert found["likelihood-given-labels"].value == pytest.approx(float((torch.from_numpy(labels) - x).mean()))
    shares = np.bincount(data.labels[data.splits["train"]], minlength=10) / data.size("train")
    assert found["likelihood"].value == pytest.approx(-float(x.mean()) - np.log(shares @ np.exp(-np.arange(10))))


def test_examples_are_completed_given_their_own_labels_or_one_asked_for(run, tmp_path, capsys):
    files = [tmp_path / f"{k}.npz" for k in range(3)]
    for file, label in zip(files, ([], ["--label", "3"], ["--label", "4"]), strict=True):
        assert main(["complete", str(run), "-n", "4", "--draws", "9", *label, "--out", str(file)]) == 0
        told = capsys.readouterr().out
        assert (f"given label {label[1]}" if label else "of each, given its own label") in told
    own, three, four = (np.load(file)["samples"] for file in files)
    assert not np.array_equal(three, four) and not np.array_equal(own, three)
    again = adv.load_run(run)
    batch = again.data.examples(4, "test", seed=0)
    known = torch.zeros(1, 8, 8, dtype=torch.bool)
    known[:, :4] = True
    drawn = again.game.complete(batch.x.repeat_interleave(9, 0), known, batch.labels.repeat_interleave(9), seed=0)
    assert np.array_equal(own.reshape(4, 11, 8, 8, 1)[:, 2:].reshape(-1, 8, 8, 1), again.data.spec.to_user(drawn))
    assert main(["complete", str(run), "--label", "10"]) == 2
    assert "from 0 to 9" in capsys.readouterr().err


def test_a_label_is_no_option_for_a_model_that_takes_none(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Checker, "due", lambda self, last: False)
    adv.train(adv.recipe("fvsbn", "smoke"), "digits-static", out=tmp_path / "run")
    assert main(["complete", str(tmp_path / "run"), "--label", "1"]) == 2
    assert "takes none; leave --label out" in capsys.readouterr().err


def test_each_label_has_a_column_of_the_picture(run, tmp_path):
    assert main(["sample", str(run), "-n", "20", "--out", str(tmp_path / "s.png")]) == 0
    assert main(["sample", str(run), "-n", "20", "--out", str(tmp_path / "s.npz")]) == 0
    found = np.load(tmp_path / "s.npz")
    assert found["labels"].tolist() == [*range(10)] * 2
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.width == 10 * 72 + 8 and picture.height == 2 * 72 + 8
        pixels = np.asarray(picture.convert("L"))
    assert np.array_equal(pixels[8 + 72 : 8 + 136 : 8, 8 + 3 * 72 : 8 + 3 * 72 + 64 : 8], found["samples"][13, ..., 0])


def test_a_run_s_own_hyperparameters_are_checked_and_those_given(run, capsys):
    assert main(["check", str(run)]) == 0
    assert "given label 1: all 256 examples" in capsys.readouterr().out
    assert main(["check", "gated-pixelcnn", "--conditional", "--seed", "1"]) == 0
    assert "given label 1: all 256 examples" in capsys.readouterr().out
    for arguments, said in (([], "what is to be checked?"), (["nade", "--hidden", "0"], "hidden"),
                            (["nade", "--conditional"], "no option --conditional")):  # fmt: skip
        assert main(["check", *arguments]) == 2
        told = capsys.readouterr().err
        assert said in told and len(told.strip().splitlines()) == 1
