"""The measured numbers: intervals, null floors, excesses, what is undefined, curves with intervals, galleries."""

import json
import math

import numpy as np
import pytest
from report_helpers import (
    EVALUATION,
    EXHIBITS,
    HOSTILE,
    PROTOCOL,
    Page,
    a_null,
    a_score,
    an_estimate,
    assert_harmless,
    charts,
    draw,
)

from adversaria.metrics import Estimate
from adversaria.metrics.estimate import Null as MeasuredNull
from adversaria.report.charts import Line, chart
from adversaria.report.estimates import families, family, told
from adversaria.report.strips import excess_strip, interval_strip, place, scale
from adversaria.report.wording import with_interval


def test_reads_what_an_estimate_writes():
    made = Estimate("x", 0.5, 0.1, 9, "nats", {"seed": 0}, False, p=0.0, null=MeasuredNull(0.0, 0.25, 20))
    for one in (made, Estimate("x", 0.0, math.nan, 9, limits=(-1.0, 2.0), lower_is_better=None)):
        read = told(json.loads(json.dumps(one.to_dict())))
        assert (read.low, read.high) == pytest.approx(one.interval, rel=1e-12)
        assert (read.name, read.value, read.n, read.unit) == (one.name, one.value, one.n, one.unit)
        assert read.lower is one.lower_is_better
        assert read.excess == pytest.approx(one.excess, nan_ok=True) and read.fingerprint == one.fingerprint
    assert told(made.to_dict()).p == 0.0


@pytest.mark.parametrize(
    "record",
    [None, [], {}, {"value": "x", "limits": [2, 1]}, {"limits": [1], "null": [1]}, {"null": {"mean": 10**400}},
     {"details": 3, "protocol": 4, "name": []}],
)  # fmt: skip
def test_what_is_no_estimate_has_no_value(record):
    read = told(record)
    assert math.isnan(read.value) and math.isnan(read.low) and read.null is None and math.isnan(read.excess)


def test_intervals_are_told_to_two_digits_of_their_width():
    assert with_interval(12.3456, 10.01, 14.68) == "12.3 [10.0, 14.7]"
    assert with_interval(410, 160, math.inf) == "410 [160, ∞)" and with_interval(0, 0, 0) == "0 [0, 0]"
    assert with_interval(-0.5, -math.inf, 2) == "-0.5 (-∞, 2]"
    assert with_interval(math.nan, 0, 1) == "not finite"
    assert with_interval(1.5e-7, 1e-7, 2e-7) == "1.5e-07 [1e-07, 2e-07]"


def test_metrics_have_families_and_unknown_ones_come_last():
    assert families(family(m) for m in ("of-my-own", "frechet", "mmd", "recall")) == [
        "distances", "manifold", "tests", "others"
    ]  # fmt: skip
    assert family("Frechet_distance") == "distances" and family("frechetish") == "others"


def test_every_number_stands_with_interval_floor_excess_and_p(run):
    page = Page(run.fill().judged().report())
    for said in (
        "12.3 [11.1, 13.5]", "0.41 ± 0.12", "+99 sd", "-29 sd", "0.0010 [-0.0020, 0.0040]", "0.005", "410 [160, ∞)",
        "neither way is better", "bits/dim", "importance-weighted, K = 100", "corrected to first order in 1/n",
        "features hash", "0123456789ab", "disjoint pairs of real sets, 20 draws", "the data have no known modes",
        "180 samples at round 40 against the test split", "accuracy 0.971", "d = 64", "ab12cd34ef56",
    ):  # fmt: skip
        assert said in page.text, said
    titles = ("distances", "manifold", "tests", "likelihoods", "copies & support", "others", "undefined here")
    text = page.text[page.text.index("Features: ") :]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


def test_accuracy_is_left_out_where_there_is_none(run):
    features = EVALUATION["features"] | {"accuracy": None}
    assert "accuracy" not in Page(run.fill().judged({"features": features}).report()).text


def test_run_without_an_evaluation_is_told_how_to_get_one(run):
    assert f"Not evaluated yet: adversaria evaluate {run.path}" in Page(run.fill().report()).text


def test_place_on_the_axis_rises_and_stays_on_it():
    at = [place(e) for e in (-1e9, -30, -2, 0, 2, 10, 100, 1000, 1e9)]
    assert at[0] == at[1] == 0 and at[-1] == at[-2] == 1 and (np.diff(at[1:-1]) > 0).all()


def _dot(drawn):
    return float(drawn.split('cx="')[1].split('"')[0])


def test_worse_is_to_the_right_whichever_way_is_better():
    null = a_null(0.5, 0.1)
    for lower, value in ((True, 0.9), (False, 0.1)):
        worse = excess_strip(told(an_estimate("m", "m", value, lower_is_better=lower, null=null)))
        same = excess_strip(told(an_estimate("m", "m", 0.5, lower_is_better=lower, null=null)))
        assert _dot(worse) > _dot(same) == pytest.approx(4 + 142 * place(0.0), abs=0.06)
    assert excess_strip(told(an_estimate("m", "m", 0.5))) is None
    assert excess_strip(told(an_estimate("m", "m", 0.5, null=a_null(0.5, 0.0)))) is None


def test_intervals_of_a_row_share_their_scale_and_seeds_are_dots():
    a = told(an_estimate("m", "m", 1.0, 0.1, details={"per_seed": [0.9, 1.0, 1.1, None, True, math.inf]}))
    b = told(an_estimate("m", "m", 3.0, 0.1))
    span = scale([a, b])
    assert span == (pytest.approx(1 - 0.195996, abs=1e-5), pytest.approx(3.195996, abs=1e-5))
    assert interval_strip(a, span).count('class="seed"') == 3
    assert _dot(interval_strip(a, span)) < _dot(interval_strip(b, span))
    assert scale([told({})]) is None and interval_strip(told({}), (0, 1)) is None


def test_precision_and_recall_are_drawn_where_both_are_known(run):
    alone = {"estimates": [e for e in EVALUATION["estimates"] if e["metric"] != "recall"]}
    both, one = charts(Page(run.fill().judged().report())), charts(Page(run.judged(alone).report()))
    new = [svg for svg in both if "recall" in svg]
    assert len(both) == len(one) + 1 and len(new) == 1 and "between real sets" in new[0]
    bare = [e | {"null": None} for e in EVALUATION["estimates"]]
    without = charts(Page(run.judged({"estimates": bare}).report()))
    assert "between real sets" not in next(svg for svg in without if "recall" in svg)


def test_scores_over_rounds_have_intervals_and_the_null_band(run):
    scores = [a_score(r, 0.4, null=a_null(0.1, 0.02), protocol=PROTOCOL) for r in (10, 20, 40)]
    scores += [a_score(r, 3.0, name="bare", error=math.nan, limits=[2.0, 5.0], lower_is_better=None) for r in (10, 40)]
    page = Page(run.fill(scores=scores).report())
    assert "lower is better; bars are 95% intervals; shaded: between two real sets, ± 2 sd" in page.text
    assert "neither way is better; bars are 95% intervals" in page.text
    assert "Between two real sets: 0.1 ± 0.02." in page.text and "features trained classifier features" in page.text
    assert "3.0 [2.0, 5.0]" in page.text and "as a pick" not in page.text


def test_curves_draw_95_per_cent_and_two_sd_of_the_null(run, monkeypatch):
    drawn = {}

    def chart(lines, *_, **__):
        drawn[lines[0].name] = lines[0]
        return b"<svg></svg>"

    monkeypatch.setattr("adversaria.report.curves.chart", chart)
    scores = [a_score(10, 0.4, error=0.1, null=a_null(0.3, 0.02)), a_score(40, 0.5, error=0.1, limits=[0.2, 0.9])]
    run.fill(scores=scores).report()
    line = drawn["sliced Wasserstein"]
    np.testing.assert_allclose(np.array(line.ends), [[0.4 - 0.1959964, 0.2], [0.4 + 0.1959964, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(np.array(line.band), [[0.26, np.nan], [0.34, np.nan]], rtol=1e-12)


def test_band_lies_where_the_null_is():
    x = np.array([1.0, 2.0, 3.0])
    y, no = np.array([5.0, 5.0, 5.0]), np.array([np.nan, np.nan, np.nan])
    plain = chart([Line("a", x, y, "#000000", ends=(y, y))])
    for low in (np.array([1.0, 1.0, 1.0]), np.array([np.nan, 1.0, np.nan])):
        assert b"#dfe5ee" in chart([Line("a", x, y, "#000000", ends=(y - 1, y + np.inf), band=(low, low + 1))])
    assert b"#dfe5ee" not in plain and chart([Line("a", x, y, "#000000", ends=(y, y), band=(no, no))])


def test_galleries_say_what_to_look_for_in_their_order(run):
    names = ["odd-one", "over-represented", "missing-modes", "birthday-pairs", "closest-to-training"]
    run.fill(exhibits={"pictures": EXHIBITS["pictures"] | dict.fromkeys(names, "caption")}).judged()
    text = run.report()
    assert "Do you see the same picture twice?" in text
    titles = ["samples closest to the training set", "birthday pairs", "missing modes", "over-represented",
              "precision and recall", "nearest neighbours", "interpolation", "odd one"]  # fmt: skip
    places = [text.index(f"<h3>{title}</h3>") for title in titles]
    assert places == sorted(places)
    assert "two principal axes (round 40)" in text


@pytest.mark.parametrize(
    "changes",
    [{"estimates": None}, {"estimates": [3, {}, None]}, {"undefined": []},
     {"features": "x", "pictures": {"x": 3}, "n": None, "round": [], "time": "x"}],
)  # fmt: skip
def test_odd_evaluations_are_survived(run, changes):
    page = Page(run.fill().judged(changes).report())
    assert_harmless(page)
    assert "Measured" in page.headings


def test_hostile_evaluations_stay_text(run):
    evil = an_estimate(HOSTILE, HOSTILE, 1.0, unit=HOSTILE, bias=HOSTILE, fingerprint=HOSTILE,
                       protocol={HOSTILE: HOSTILE, "x": [HOSTILE], "y": {HOSTILE: HOSTILE}},
                       null=a_null(0.0, 1.0) | {"how": HOSTILE, "draws": HOSTILE},
                       details={HOSTILE: HOSTILE})  # fmt: skip
    draw(run.path / "secret.png")
    run.fill(scores=[a_score(r, 1.0, name=HOSTILE, protocol={HOSTILE: HOSTILE}, null=evil["null"]) for r in (4, 8)])
    run.judged({"estimates": [evil, evil | {"protocol": HOSTILE, "p": HOSTILE, "limits": HOSTILE}], "against": HOSTILE,
                "features": {"name": HOSTILE, "hash": HOSTILE, "note": HOSTILE, "d": HOSTILE},
                "undefined": {HOSTILE: HOSTILE},
                "pictures": {"../secret": HOSTILE, "birthday-pairs": HOSTILE}})  # fmt: skip
    page = Page(run.report())
    assert_harmless(page)
    assert page.text.count("<img src=x onerror=alert(1)>") >= 20
    assert len([u for u in page.all("img", "src") if "webp" in u]) == 2 + 3 + 2 + 1  # birthday-pairs, not secret
