"""The report's arithmetic: thinning, smoothing, choosing sheets, reading distances, escaping."""

import numpy as np
import pytest

from adversaria.report.charts import Line, chart, shade, smooth, thin
from adversaria.report.markup import Html, join, section, table, tag
from adversaria.report.reading import spread
from adversaria.report.wording import date, duration, figure, number, on_neighbours, with_error


def test_thinning_keeps_least_and_greatest_of_every_column():
    rng = np.random.default_rng(0)
    x, y = np.arange(10_000.0), rng.normal(size=10_000)
    y[1234], y[8765] = 99.0, -99.0
    a, b = thin(x, y, pixels=50)
    assert len(a) <= 100 and (np.diff(a) > 0).all()
    assert b.max() == 99.0 and b.min() == -99.0
    columns = np.split(y, np.searchsorted(x, np.linspace(0, x[-1], 51)[1:-1]))
    kept = set(b)
    assert all(column.min() in kept and column.max() in kept for column in columns)


def test_thinning_keeps_gaps_and_short_curves():
    x, y = np.arange(1000.0), np.ones(1000)
    y[300:500] = np.nan
    _, b = thin(x, y, pixels=50)
    assert np.isnan(b).sum() >= 8
    assert thin(x, y, pixels=500)[1] is y


def test_smoothing_leaves_a_constant_as_it_is_and_passes_over_gaps():
    y = np.full(500, 3.0)
    y[100:103] = np.nan
    assert np.allclose(smooth(y), 3.0)
    y[100:300] = np.nan
    assert np.isnan(smooth(y)[200])


def test_terms_of_a_player_look_different():
    assert len({shade("#2563a8", i) for i in range(12)}) == 12


def test_long_chart_is_small():
    x = np.arange(1.0, 100_001)
    y = np.random.default_rng(0).normal(size=100_000)
    assert len(chart([Line("a", x, y, "#000000", noisy=True)])) < 60_000


@pytest.mark.parametrize("values", [[1e-30, 1e29], [0.0, 0.0], [5.0], [1e5, 1e5 + 1]])
@pytest.mark.parametrize("log", [False, True])
def test_extreme_values_are_drawn(values, log):
    y = np.array(values)
    if log and (y <= 0).any():
        y = y + 1.0
    assert b"<svg" in chart([Line("a", np.arange(1.0, len(y) + 1), y, "#000000")], log=log)


def test_sheets_are_spread_over_the_logarithm_of_rounds():
    sheets = [(round, None) for round in [1, 10, 33, *range(100, 10_001, 100)]]
    chosen = [round for round, _ in spread(sheets)]
    assert len(chosen) == 12 and chosen == sorted(set(chosen))
    assert chosen[0] == 1 and chosen[-1] == 10_000
    assert {10, 33, 100} <= set(chosen)
    assert spread(sheets[:5]) == sheets[:5]


def test_copies_are_suspected_only_where_intervals_separate():
    def said(a, ea, b, eb):
        return on_neighbours({"mean": a, "error": ea}, {"mean": b, "error": eb})

    assert "look for copies" in said(1.0, 0.1, 2.0, 0.1)
    assert "overlap" in said(1.0, 0.3, 2.0, 0.3)
    assert "farther" in said(2.0, 0.1, 1.0, 0.1)
    assert "Nothing to compare" in said(1.0, float("nan"), 2.0, 0.1)
    assert "Nothing to compare" in on_neighbours({}, {})


def test_numbers_have_four_digits():
    assert figure(1234.567) == "1235" and figure(-0.00012346) == "-0.0001235" and figure(9999.6) == "10,000"
    assert figure(None) == figure("3") == figure(True) == figure(10**400) == "not finite"
    assert with_error(0, 0.1) == "0 ± 0.1" and with_error(float("inf"), 0.1) == "not finite"
    assert with_error(2.5e7, 1e6) == "(2.5 ± 0.1) × 10⁷"
    assert np.isnan(number([]))
    assert date(float("nan")) == date(1e300) == "unknown" and date(0) == "1970-01-01 00:00 UTC"
    assert duration(59.9) == "60 s" and duration(3599.9) == "1 h 0 min"


def test_only_what_tag_made_is_html():
    assert tag("p", "<b>", Html("<b>"), None, title='"') == '<p title="&quot;">&lt;b&gt;<b></p>'
    assert join("a&", tag("img", src="x")) == 'a&amp;<img src="x">'
    assert section("t", None, None) is None and table(("a",), []) is None
