"""A comparison says which model is better only where it can, and why not where it can't."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import adversaria as adv
from adversaria.api import comparing
from adversaria.api.agreement import agreement
from adversaria.data import load
from adversaria.diagnose.verdict import Verdict
from adversaria.errors import UserError
from adversaria.evaluation.features import pixels
from adversaria.evaluation.sets import prepare
from adversaria.evaluation.suite import Measured
from adversaria.metrics.estimate import Estimate
from adversaria.report.compare import write_comparison
from adversaria.runs.checking import Checker
from adversaria.runs.evaluation import DivergedError, plain

METRICS = ["frechet", "coverage", "mmd"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        made = {}
        for name in ("gan", "wgan-gp"):
            for seed in (0, 1):
                out = place / f"{name}-{seed}"
                made[f"{name}-{seed}"] = adv.train(adv.recipe(name, "smoke"), "ring8", out=out, seed=seed)
        made["vae"] = adv.train(adv.recipe("vae", "smoke"), "digits", out=place / "vae")
        other = adv.train(adv.recipe("gan", "smoke", hidden=8), "ring8", out=place / "sub" / "gan-0")
        made["narrow"] = other
    return made


def estimate(value, error=0.1, **facts):
    return Estimate("distance", value, error, 100, protocol=facts)


def group(label, *values):
    """A system with these numbers of `frechet`, one a seed."""
    made = comparing.Group([SimpleNamespace() for _ in values], label)
    made.measured = [Measured({"frechet": value}, {}) for value in values]
    return made


def row(*groups, key="frechet", seeds=False):
    return comparing._corrected([comparing._row(key, list(groups), seeds)], [each.label for each in groups])[0]


def test_two_runs_under_one_protocol(runs, tmp_path):
    some = [runs["gan-0"], runs["wgan-gp-0"]]
    told = adv.compare(some, n=200, metrics=METRICS)
    assert [run["label"] for run in told["runs"]] == ["gan", "wgan-gp"]
    assert told["primary"] == "frechet" and told["seeds"] is None
    assert (told["protocol"]["n_generated"], told["protocol"]["n_real"]) == (200, 200)
    assert [r["metric"] for r in told["rows"]] == METRICS
    text = json.dumps(told, allow_nan=False)
    assert json.loads(text) == plain(told)
    for r in told["rows"]:
        a, b = (Estimate.from_dict(cell) for cell in r["cells"])
        (pair,) = r["pairs"]
        assert pair["difference"] == pytest.approx(a.value - b.value)
        assert pair["state"] in ("better", "worse", "inconclusive") and r["verdict"]
    write_comparison([run.path for run in some], told, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "gan" in page and "wgan-gp" in page and told["rows"][0]["verdict"] in page
    again = adv.compare(some, n=200, metrics=METRICS)
    assert again == told


def test_seeds_of_a_system_are_grouped_and_paired(runs):
    some = [runs[name] for name in ("wgan-gp-1", "gan-0", "wgan-gp-0", "gan-1")]
    told = adv.compare(some, seeds=True, n=100, metrics=["frechet"])
    by = {run["label"]: run for run in told["runs"]}
    assert sorted(by) == ["gan", "wgan-gp"] and all(run["seeds"] == [0, 1] for run in by.values())
    (r,) = told["rows"]
    for run, cell in zip(told["runs"], r["cells"], strict=True):
        values = cell["details"]["per_seed"]
        alone = adv.compare([adv.load_run(path) for path in run["paths"]], n=100, metrics=["frechet"])
        assert values == [each["value"] for each in alone["rows"][0]["cells"]]
        assert cell["value"] == pytest.approx(sum(values) / 2)
        assert cell["error"] == pytest.approx(abs(values[0] - values[1]) / 2)
    (pair,) = r["pairs"]
    assert pair["least_p"] == 0.5 and pair["state"] == "inconclusive" and r["best"] is None
    assert "six can" in r["verdict"]
    assert told["seeds"] == {"n": 2, "min_p": 0.5}


def test_hyperparameters_make_another_system(runs):
    some = [runs["gan-0"], runs["narrow"]]
    labels = [g.label for g in comparing.grouped(some, True)]
    assert labels == [str(run.path) for run in some]  # recipe and folder have the same name
    some = [runs["gan-0"], runs["gan-1"]]
    assert [g.label for g in comparing.grouped(some, False)] == ["gan-0", "gan-1"]


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (["gan-0"], {}, "1 run can't be compared"),
        ([], {}, "0 run"),
        (["gan-0", "gan-0"], {}, "is given 2 times"),
        (["gan-0", "vae"], {}, "different data: .* on ring8 .* on digits"),
        (["gan-0", "gan-1"], {"seeds": True}, "1 system can't be compared"),
        (["gan-0", "gan-1", "wgan-gp-0"], {"seeds": True}, r"different seeds \(gan: 0, 1; wgan-gp: 0\)"),
        (["gan-0", "wgan-gp-0"], {"metrics": ["frehcet"]}, "did you mean 'frechet'"),
        (["gan-0", "wgan-gp-0"], {"features": "nonsense"}, "give pixels, pca"),
    ],
)
def test_what_cannot_be_compared_is_one_line(runs, names, options, said):
    with pytest.raises(UserError, match=said) as caught:
        adv.compare([runs[name] for name in names], **options)
    assert "\n" not in str(caught.value)


def test_a_run_that_diverged_is_named(runs, monkeypatch):
    def diverged(game, *_, **__):
        raise DivergedError("3 of 100 samples are not finite")

    monkeypatch.setattr("adversaria.runs.evaluation.samples_of", diverged)
    with pytest.raises(UserError, match=r"gan-0: 3 of 100 samples are not finite.*leave it out"):
        adv.compare([runs["gan-0"], runs["wgan-gp-0"]])


def test_holm_over_pairs_by_hand():
    # differences of 1, 4 and 3 with an error of sqrt(2) x 0.5: z = sqrt(2), 4 sqrt(2), 3 sqrt(2)
    a, b, c = group("a", estimate(1, 0.5)), group("b", estimate(2, 0.5)), group("c", estimate(5, 0.5))
    told = row(a, b, c)

    def p(z):
        return math.erfc(z / math.sqrt(2))

    raw = {(0, 1): p(math.sqrt(2)), (0, 2): p(4 * math.sqrt(2)), (1, 2): p(3 * math.sqrt(2))}
    holm = {(0, 1): raw[0, 1], (0, 2): 3 * raw[0, 2], (1, 2): 2 * raw[1, 2]}
    for pair in told["pairs"]:
        assert pair["p"] == pytest.approx(raw[pair["a"], pair["b"]])
        assert pair["p_holm"] == pytest.approx(holm[pair["a"], pair["b"]])
    assert [pair["state"] for pair in told["pairs"]] == ["inconclusive", "better", "better"]
    assert told["best"] is None  # a isn't shown to be better than b


def test_best_is_better_than_every_other():
    told = row(group("a", estimate(9)), group("b", estimate(1)), group("c", estimate(5)))
    assert told["best"] == 1
    higher = [group(x, replace(estimate(v), lower_is_better=False)) for x, v in (("a", 9), ("b", 1), ("c", 5))]
    assert row(*higher)["best"] == 0
    neither = [group(x, replace(estimate(v), lower_is_better=None)) for x, v in (("a", 9), ("b", 1))]
    assert row(*neither)["best"] is None and row(*neither)["verdict"] == "neither direction is better"
    gone = group("d", estimate(0))
    gone.measured = [Measured({}, {"frechet": "too few"})]
    told = row(group("a", estimate(9)), group("b", estimate(1)), gone)
    assert told["best"] == 1 and told["cells"][2] == {"undefined": "too few"}
    assert row(group("a", estimate(9)), gone)["best"] is None


def test_the_correction_of_secondary_metrics_leaves_the_primary_alone():
    rows = [comparing._row("frechet", [group("a", estimate(1, 0.3)), group("b", estimate(2, 0.3))], False)]
    for i in range(20):
        rows.append({**json.loads(json.dumps(rows[0])), "metric": f"m{i}"})
    first, *others = comparing._corrected(rows, ["a", "b"])
    (pair,) = first["pairs"]
    assert pair["p_holm"] == pair["p"] < 0.05 and first["best"] == 0
    assert all(r["pairs"][0]["p_holm"] == pytest.approx(20 * pair["p"]) and r["best"] is None for r in others)


@pytest.mark.parametrize("seeds", [False, True])
def test_kinds_of_likelihood_are_never_compared(seeds):
    a = [estimate(1.0, kind="exact"), estimate(1.1, kind="exact")][: 1 + seeds]
    b = [estimate(9.0, kind="bound"), estimate(9.1, kind="bound")][: 1 + seeds]
    told = row(group("a", *a), group("b", *b), seeds=seeds)
    assert told["kinds"] == ["bound", "exact"] and told["best"] is None
    assert told["pairs"][0]["p"] is None and told["verdict"].startswith("not compared")


def test_six_seeds_can_tell_and_five_cannot():
    def told(n):
        a, b = ([estimate(base + 0.1 * i) for i in range(n)] for base in (1, 5))
        return row(group("a", *a), group("b", *b), seeds=True)

    assert told(6)["best"] == 0 and told(6)["pairs"][0]["p"] == 2 / 64
    assert told(5)["best"] is None and "six can" in told(5)["verdict"]


def test_a_system_that_lacks_a_seed_of_a_number_has_none():
    a = group("a", estimate(1), estimate(2))
    a.measured[1] = Measured({}, {"frechet": "too few"})
    assert a.cell("frechet") is None and a.why("frechet") == "too few"
    assert row(a, group("b", estimate(1), estimate(2)), seeds=True)["pairs"] == []


def test_verdicts_over_seeds_are_the_commonest(monkeypatch):
    states = iter(["fail", "pass", "fail", "not applicable"])
    monkeypatch.setattr(comparing, "verdicts", lambda _: [Verdict("collapse", next(states), "so")])
    told = comparing._verdicts([group("a", *[estimate(1)] * 3), group("b", estimate(1))])
    assert told == {"collapse": ["fail (2 of 3)", "not applicable"]}


def test_the_time_of_play_counts_rounds_that_were_not_logged():
    records = [{"round": i, "seconds": 0.5} for i in (1, 10, 20, 30)]
    assert comparing.spent(SimpleNamespace(history=lambda: records)) == 15.0
    assert comparing.spent(SimpleNamespace(history=list)) == 0.0


def test_an_order_is_told_only_where_distances_differ():
    data = load("digits")
    real = data.examples(300, "train", seed=0).x
    near, far = (real + s * torch.randn(real.shape, generator=torch.Generator().manual_seed(1)) for s in (0.3, 1.5))
    sets = {name: [prepare(data, x, pixels(data.spec))] for name, x in (("near", near), ("far", far))}
    said = agreement(["near", "far"], [sets["near"], sets["far"]], pixels(data.spec))
    assert said.startswith("kernel distance orders the models alike") and "pixels: near < far" in said
    halves = [[prepare(data, part, pixels(data.spec))] for part in real.split(150)]
    said = agreement(["a", "b"], halves, pixels(data.spec))
    assert said.startswith("kernel distance tells no order") and " ~ " in said and " < " not in said
    turned = replace(pixels(data.spec), name="turned", function=lambda x: 1 / (0.1 + x.flatten(1).std(1, keepdim=True)),
                     d=1)  # fmt: skip
    pair = [prepare(data, x, turned) for x in (real * 0.5, far)]
    said = agreement(["pale", "far"], [[pair[0]], [pair[1]]], turned)
    assert said.startswith("warning: the order by kernel distance depends on the features"), said


def test_a_difference_that_holm_takes_back_says_so():
    from adversaria.api.comparing import _sentence

    pair = {"a": 0, "b": 1, "p": 0.031, "p_holm": 0.062, "least_p": 0.031, "detectable": 0.06, "state": "inconclusive"}
    row = {"pairs": [pair], "kinds": None, "lower_is_better": False}
    assert _sentence(row, ["a", "b"]) == "inconclusive: p = 0.031 by itself, 0.062 among so many numbers (Holm)"
    assert "a difference of 0.06" in _sentence({**row, "pairs": [{**pair, "p": 0.2, "p_holm": 0.4}]}, ["a", "b"])
