"""Nearest neighbours over pieces, against all distances in float64."""

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria import latent
from adversaria.errors import UserError


def pieces(x, size):
    return (x[i : i + size] for i in range(0, len(x), size))


@pytest.mark.parametrize("offset", [0.0, 3e3])
@pytest.mark.parametrize("size", [1, 17, 400, 5000])
def test_over_pieces_of_any_size_they_are_those_of_all_distances(size, offset):
    x, y = torch.randn(400, 12) + offset, torch.randn(30, 12) + offset
    found = latent.neighbours(y, pieces(x, size), 5)
    away = (y.double()[:, None] - x.double()).norm(dim=2)
    expected = away.sort(1)
    assert torch.equal(found.index, expected.indices[:, :5])
    torch.testing.assert_close(found.distance, expected.values[:, :5], rtol=1e-12, atol=0)


def test_a_copy_is_at_distance_0_and_of_copies_the_earliest_comes_first():
    x = torch.randn(300, 6) + 1e3
    x[[45, 250]] = x[40].clone()
    found = latent.neighbours(x[[40, 7]], pieces(x, 64), 3)
    assert found.distance[0].tolist() == [0, 0, 0] and found.index[0].tolist() == [40, 45, 250]
    assert float(found.distance[1, 0]) == 0 and int(found.index[1, 0]) == 7


def test_examples_are_compared_by_all_their_numbers():
    x = torch.randn(20, 2, 3, 3)
    found = latent.neighbours(x[:4], [x], 1)
    assert found.index[:, 0].tolist() == [0, 1, 2, 3]


def test_more_neighbours_than_rows_and_rows_of_another_length_are_refused():
    with pytest.raises(UserError, match="take k from 1 to 3"):
        latent.neighbours(torch.randn(2, 4), [torch.randn(3, 4)], 4)
    with pytest.raises(UserError, match="one space"):
        latent.neighbours(torch.randn(2, 4), [torch.randn(3, 5)], 1)


@pytest.mark.parametrize(
    "values",
    [np.random.default_rng(0).integers(0, 256, (50, 8, 8), np.uint8), np.random.default_rng(0).random((50, 3))],
)
def test_training_rows_are_all_of_the_split_in_its_order(values):
    data = adv.load(values)
    rows = list(latent.training_rows(data, 7))
    assert [len(part) for part in rows][:2] == [7, 7]
    torch.testing.assert_close(torch.cat(rows), data.examples(data.size("train"), "train").x)
