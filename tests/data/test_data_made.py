import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from adversaria.data import MADE, draw, load, modes, names, oracle
from adversaria.data.made import POINTS, four_points
from adversaria.errors import UserError

POINT_SIZES, DIGIT_SIZES = (100_000, 10_000, 10_000), (1_439, 179, 179)
SIZES = {
    "oracle-tokens": (10_000, 1_000, 1_000),
    "four-points": (4_000, 1_000, 1_000),
    "captioned-shapes": (20_000, 2_000, 2_000),
    "stacked-digits": (128_000, 26_000, 26_000),
}


def test_every_made_name_loads_with_its_splits():
    assert names() == list(MADE)
    for name in names():
        data = load(name)
        assert data.name == name
        assert data.options == {"source": name}
        assert {s: data.size(s) for s in data.splits} == dict(
            zip(
                ("train", "valid", "test"), SIZES.get(name, POINT_SIZES if name in POINTS else DIGIT_SIZES), strict=True
            )
        )


@pytest.mark.parametrize("name", list(POINTS))
def test_draws_are_fixed_by_their_seed(name):
    (a, la), (b, _), (c, _) = draw(name, 500, 1), draw(name, 500, 1), draw(name, 500, 2)
    assert a.dtype == np.float32
    assert a.shape == (500, 2)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert la is None or la.shape == (500,)
    assert np.abs(a).max() < 5
    assert draw(name, 0, 1)[0].shape == (0, 2)


@pytest.mark.parametrize(("name", "count"), [("ring8", 8), ("grid25", 25)])
def test_points_of_a_mode_are_normal_around_its_centre(name, count):
    centres, sd = modes(name)
    points, labels = draw(name, 50_000, 0)
    assert len(centres) == count
    assert np.allclose(np.bincount(labels, minlength=count) / 50_000, 1 / count, atol=0.01)
    away = points - centres[labels]
    assert np.allclose(away.std(0), sd, rtol=0.02)
    assert np.allclose(away.mean(0), 0, atol=3 * sd / math.sqrt(50_000) * 2)


def test_ring_and_grid_are_where_they_should_be():
    assert np.allclose(np.linalg.norm(modes("ring8").centres, axis=1), 2)
    assert {tuple(c) for c in modes("grid25").centres} == {(i, j) for i in range(-4, 5, 2) for j in range(-4, 5, 2)}
    with pytest.raises(UserError, match="unknown data with modes 'spiral'"):
        modes("spiral")
    with pytest.raises(UserError, match="did you mean 'two-moons'"):
        draw("two-moon", 3, 0)


def test_checkerboard_fills_dark_squares_evenly():
    points, _ = draw("checkerboard", 40_000, 0)
    square = np.floor(points / 2).astype(int)
    assert len({int(s) % 2 for s in square.sum(1)}) == 1
    _, counts = np.unique(square, axis=0, return_counts=True)
    assert len(counts) == 8
    assert np.allclose(counts / 40_000, 1 / 8, atol=0.01)


def test_parallel_lines_are_vertical_and_labelled():
    points, labels = draw("parallel-lines", 1000, 0)
    assert np.array_equal(points[:, 0], labels)
    assert points[:, 1].min() >= 0
    assert points[:, 1].max() <= 1


def test_four_points_are_the_images_with_one_pixel_on_equally_often():
    data = load("four-points")
    assert (data.spec.kind, data.spec.shape, data.spec.classes) == ("binary", (4,), 4)
    for split in data.splits:
        batch = data.examples(data.size(split), split)
        assert torch.equal(batch.x, torch.eye(4)[batch.labels])
        assert torch.bincount(batch.labels).tolist() == [data.size(split) // 4] * 4
    (a, la), (b, _), (c, _) = four_points(10, 1), four_points(10, 1), four_points(10, 2)
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert sorted(np.bincount(la, minlength=4)) == [2, 2, 3, 3]
    assert four_points(0, 1)[0].shape == (0, 4)
    with pytest.raises(UserError, match="-1 points asked for; ask for 0 or more"):
        four_points(-1, 0)


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    data = load("digits")
    stored = data.store.gather(np.arange(1797)).numpy()[..., 0]
    assert np.array_equal(np.rint(stored / 255 * 16), load_digits().images)
    assert np.array_equal(data.labels, load_digits().target)


def test_oracle_probabilities_sum_to_one():
    judge = oracle()
    pairs = torch.cartesian_prod(torch.arange(32), torch.arange(32))
    assert abs(float(judge.log_prob(pairs).exp().sum()) - 1) < 1e-12
    assert judge.log_prob(torch.arange(32)[:, None]).exp().sum().isclose(torch.tensor(1.0, dtype=torch.float64))


def test_oracle_samples_follow_its_probabilities():
    judge = oracle()
    drawn = judge.sample(20_000, seed=5)
    assert drawn.shape == (20_000, 20)
    assert torch.equal(drawn, judge.sample(20_000, seed=5))
    first = torch.bincount(drawn[:, 0], minlength=32).double() / 20_000
    assert torch.allclose(first, judge.log_prob(torch.arange(32)[:, None]).exp(), atol=0.015)
    entropies = [-float(judge.log_prob(judge.sample(4_000, seed)).mean()) for seed in (1, 2)]
    assert abs(entropies[0] - entropies[1]) < 1


def test_oracle_refuses_what_is_no_sequence_of_its_tokens():
    for wrong in (torch.zeros(3), torch.zeros(3, 4), torch.full((2, 3), 32), torch.full((2, 3), -1)):
        with pytest.raises(UserError, match="below 32"):
            oracle().log_prob(wrong)


def test_digits_and_points_need_no_heavy_imports_beyond_their_own():
    code = (
        "import sys, adversaria.data as d; d.load('ring8');"
        "assert not {'sklearn', 'pyarrow', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
