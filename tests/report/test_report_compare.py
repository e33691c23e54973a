"""The comparison page: winners only where significant, likelihoods apart by kind, undefined with the reason."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
from report_helpers import (
    COMPARISON,
    HOSTILE,
    PROTOCOL,
    Page,
    Run,
    a_null,
    a_pair,
    a_row,
    an_estimate,
    assert_harmless,
    draw,
)

from adversaria.report.compare import write_comparison
from adversaria.report.comparing import differing, winner
from adversaria.report.estimates import told


@pytest.fixture
def compare(tmp_path):
    """Writes a comparison with changes; returns its text."""

    def write(folders=(), **changes):
        path = write_comparison(list(folders), copy.deepcopy(COMPARISON) | changes, tmp_path / "out.html")
        assert path == tmp_path / "out.html"
        return path.read_text(encoding="utf-8")

    return write


def _rows(text):
    """Each row of numbers in the table of metrics, with what is said below it."""
    table = text[text.index("Measured</h2>") : text.index("Budgets</h2>")]
    return table.split('<tr class="numbers">')[1:]


def test_page_has_every_part_and_loads_nothing(compare, tmp_path):
    page = Page(compare([Run(tmp_path / name).fill().path for name in ("a", "b", "c")]))
    assert_harmless(page)
    assert page.headings == ["Verdicts", "Samples", "Measured", "Budgets", "Protocol"]
    for said in ("gan, vae and gated-pixelcnn", "declared before the comparison", "6 seeds each", "0.03125",
                 "agrees under pixels, PCA", "12.3 [10.7, 13.9]", "0.41 ± 0.12", "5 min 1 s",
                 "256,000", "slow to sample", "trained classifier features",
                 "runs/pixelcnn", "held-out data, as gan has them"):  # fmt: skip
        assert said in page.text, said
    assert len(page.all("img", "src")) == 4


def test_samples_are_the_exhibits_otherwise_the_newest_sheet_otherwise_missed(compare, tmp_path):
    full, sheets = Run(tmp_path / "a").fill().path, Run(tmp_path / "b").fill().path
    (sheets / "exhibits/samples.png").unlink()
    draw(sheets / "samples/round-00000040.png", np.zeros((9, 31, 3), np.uint8))
    page = Page(compare([full, sheets, tmp_path / "nowhere"]))
    assert "samples of gan; not selected" in page.text
    assert "samples of vae at round 40; not selected" in page.text and "31" in page.all("img", "width")
    assert f"no samples in {tmp_path / 'nowhere'}" in page.text


def test_primary_metric_comes_first_then_the_families(compare):
    text = compare()
    text = text[text.index("Measured</h2>") :]
    order = [text.index(f'scope="rowgroup" colspan="5">{t}<') for t in ("primary", "manifold", "tests", "likelihoods")]
    assert order == sorted(order)


def test_winner_is_marked_where_no_pair_leaves_it_open():
    cells = [told(an_estimate("m", "m", v)) for v in (1.0, 2.0, 3.0)]
    won = {"best": 0, "pairs": [a_pair(0, 1, "better"), a_pair(2, 0, "worse"), a_pair(1, 2, "inconclusive")]}
    assert winner(won, cells) == 0
    assert winner(won | {"pairs": [a_pair(0, 1, "better"), a_pair(0, 2, "inconclusive")]}, cells) is None
    assert winner(won | {"pairs": [a_pair(0, 1, "worse")]}, cells) is None
    assert winner(won | {"verdict": "Inconclusive (smallest difference ...)"}, cells) is None
    for best in (None, True, -1, 3, "0", 1.0):
        assert winner(won | {"best": best}, cells) is None
    assert winner({"best": 0}, ["undefined", *cells]) is None


def test_inconclusive_is_said_in_words_and_nothing_is_marked(compare):
    row = a_row("frechet", "Fréchet distance", [1.0, 1.1, 1.2], best=0, pairs=[a_pair(0, 1, "inconclusive")])
    text = compare(rows=[row])
    assert "★" not in text
    assert text.count("inconclusive (smallest difference that would have shown: 0.3)") == 2  # above, and in the row


def test_winners_of_the_example(compare):
    rows = _rows(compare())
    assert ["★ best" in row for row in rows] == [True, True, False, False, False]
    assert rows[0].index("★ best") > rows[0].index("18.6")


def test_kinds_of_likelihood_never_share_a_row(compare):
    text = compare()
    rows = [row for row in _rows(text) if "held-out NLL" in row]
    assert len(rows) == 2
    assert "1.92" in rows[0] and "kind: bound" in rows[0] and "1.61" not in rows[0]
    assert "1.61" in rows[1] and "kind: exact" in rows[1] and "1.92" not in rows[1]
    assert "never shown" not in text and text.count("Kinds of likelihood differ between runs: not compared.") == 2
    assert rows[0].count("other kind") == 1 and rows[0].count(">undefined<") == 1


def test_likelihoods_of_one_kind_share_a_row(compare):
    same = [an_estimate("nll", "NLL", v, unit="nats", protocol=PROTOCOL | {"kind": "exact"}) for v in (1.0, 2.0, 3.0)]
    row = a_row("mine", "NLL", same, verdict="gan better", best=0, unit="nats")
    rows = _rows(compare(rows=[row]))
    assert len(rows) == 1 and "kind: exact" in rows[0] and "★ best" in rows[0]
    units = [cell | {"unit": u} for cell, u in zip(same, ("nats", "bits/dim", "nats"), strict=True)]
    assert len(_rows(compare(rows=[a_row("nll", "NLL", units, best=0)]))) == 2


def test_undefined_cells_say_why(compare):
    text = compare(rows=[a_row("modes", "modes", ["no known modes", 3.0])])
    (row,) = _rows(text)
    assert '<summary title="no known modes">undefined</summary>no known modes' in row
    assert ">not measured<" in row  # the third run has no cell


def test_numbers_of_different_protocols_have_no_winner(compare):
    sizes = ((1.0, 9), (2.0, 9), (3.0, 8))
    cells = [an_estimate("frechet", "F", v, protocol=PROTOCOL | {"n_real": n}) for v, n in sizes]
    text = compare(rows=[a_row("frechet", "F", cells, best=0, verdict="gan better")])
    assert "★" not in text and "Measured under different protocols (n real): not compared." in text
    assert differing([told(c) for c in cells]) == ["n real"]


def test_floors_that_differ_are_told_as_a_range(compare):
    cells = [an_estimate("m", "m", 1.0, null=a_null(v, 0.1)) for v in (0.1, 0.3, 0.2)]
    assert "0.1 to 0.3" in _rows(compare(rows=[a_row("m", "m", cells)]))[0]


def test_seeds_are_dots_and_too_few_are_said_to_be_too_few(compare):
    text = compare(seeds={"n": 5, "min_p": 0.0625})
    assert _rows(text)[0].count('class="seed"') == 18
    assert "No difference can be significant at 5%: at least 6 seeds." in text
    assert "another seed may order the runs differently" in compare(seeds=None)


def test_unequal_budgets_and_data_are_said(compare):
    runs = copy.deepcopy(COMPARISON["runs"])
    assert "Images seen differs by a factor of up to 6.778" in compare() and "Training time differs" not in compare()
    runs[0] |= {"seconds": 600, "data": "digits"}
    text = compare(runs=runs)
    assert "Training time differs by a factor of up to 2" in text and "different data" in text


def test_pairs_are_listed_with_both_p(compare):
    page = Page(compare())
    for said in ("gan − vae", "-6.3 ± 0.4", "0.002", "0.004", "gan is better", "inconclusive"):
        assert said in page.text, said


def test_verdicts_have_a_row_each(compare):
    page = Page(compare())
    assert "collapsefailpasspass" in page.text and "posterior collapsenot applicablepassnot applicable" in page.text
    told_why = {"collapse": [{"state": "fail", "sentence": "It did."}]}
    text = compare(verdicts=told_why)
    assert 'title="It did."' in text and "—" in text


@pytest.mark.parametrize(
    "changes",
    [{"runs": None, "rows": None, "verdicts": None, "protocol": [], "primary": 3}, {"rows": [3, {}, {"cells": 3}]},
     {"rows": [{"metric": "m", "cells": [3, None, {"value": "x"}, {}, {}], "pairs": [3, {}, {"a": 9, "b": None}]}]},
     {"verdicts": {"a": 3, "b": [None, 3, {}]}, "format": 9, "seeds": [1], "runs": [3, {}]}],
)  # fmt: skip
def test_odd_comparisons_are_survived(compare, changes):
    assert_harmless(Page(compare(**changes)))


def test_nothing_to_compare_is_a_page_too(tmp_path):
    assert write_comparison([], {}, tmp_path) == tmp_path / "comparison.html"


def test_hostile_comparisons_stay_text(compare, tmp_path):
    draw(tmp_path / "secret.png")
    evil = an_estimate(HOSTILE, HOSTILE, 1.0, unit=HOSTILE, protocol={HOSTILE: HOSTILE}, bias=HOSTILE,
                       details={"per_seed": [HOSTILE, 1.0]}, null=a_null(0, 1) | {"how": HOSTILE})  # fmt: skip
    likely = [evil | {"unit": "nats", "protocol": {"kind": HOSTILE + str(i)}} for i in range(2)]
    page = Page(compare(
        [tmp_path / "sec\"><script>ret"],
        primary=HOSTILE, protocol={HOSTILE: [HOSTILE]}, agreement=HOSTILE, seeds={"n": HOSTILE, "min_p": HOSTILE},
        runs=[{key: HOSTILE for key in ("path", "label", "recipe", "data", "seconds", "rounds", "images", "note")},
              {"label": HOSTILE, "seeds": [HOSTILE], "path": "secret"}],
        rows=[{"metric": HOSTILE, "name": HOSTILE, "unit": HOSTILE, "cells": [evil, {"undefined": HOSTILE}],
               "verdict": HOSTILE, "best": HOSTILE,
               "pairs": [dict.fromkeys(("a", "b", "difference", "p", "state"), HOSTILE)]},
              {"metric": "likelihood", "name": HOSTILE, "cells": likely}],
        verdicts={HOSTILE: [HOSTILE, {"state": HOSTILE, "sentence": HOSTILE}]},
    ))  # fmt: skip
    assert_harmless(page)
    assert page.text.count("<img src=x onerror=alert(1)>") >= 25 and not page.all("img", "src")


def test_comparison_needs_no_torch(tmp_path):
    code = (
        "import sys, json; from pathlib import Path; from adversaria.report.compare import write_comparison; "
        f"write_comparison([], json.loads({json.dumps(json.dumps(COMPARISON))}), Path({json.dumps(str(tmp_path))})); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
