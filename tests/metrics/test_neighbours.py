import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics import neighbours
from adversaria.metrics.cells import clusters
from adversaria.metrics.neighbours import Passes, inside, nearest, pair_distances


def squared(x, y):
    return (x.double()[:, None] - y.double()[None]).square().sum(-1)


def by_sorting(x, y, k, same):
    d = squared(x, y)
    if same:
        d.fill_diagonal_(torch.inf)
    return d.sort(stable=True).values[:, :k]


def lattice(n, d, seed):
    return torch.randint(0, 3, (n, d), generator=torch.Generator().manual_seed(seed)).float()


SETS = {
    "gaussian": lambda: (torch.randn(300, 20), torch.randn(410, 20)),
    "far from the origin": lambda: (torch.randn(300, 20) + 1000, torch.randn(410, 20) + 1000),
    "heavy tails": lambda: (torch.randn(300, 5) / torch.randn(300, 1), torch.randn(410, 5) / torch.randn(410, 1)),
    "lattice, many ties": lambda: (lattice(300, 4, 0), lattice(410, 4, 1)),
    "a few atoms": lambda: (torch.randn(7, 30).repeat(40, 1), torch.randn(9, 30).repeat(45, 1)),
    "near-duplicates": lambda: near_duplicates(),
    "tiny numbers": lambda: (1e-30 * torch.randn(100, 3), 1e-30 * torch.randn(90, 3)),
    "large numbers": lambda: (1e30 * torch.randn(100, 3), 1e30 * torch.randn(90, 3)),
    "one feature, float64": lambda: (torch.randn(100, 1).double(), torch.randn(90, 1).double()),
}


def near_duplicates():
    x = torch.randn(200, 64) + 5
    return x, torch.cat([x + 1e-4 * torch.randn(200, 64), x])


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("k", [1, 5, 20])
def test_nearest_equals_sorting_all_distances(name, k):
    x, y = SETS[name]()
    for a, b, same in ((x, y, False), (x, x, True), (y, x, False)):
        found, want = nearest(a, b, k, same=same), by_sorting(a, b, k, same)
        torch.testing.assert_close(found.squared, want, rtol=1e-12, atol=0)
        rows = torch.arange(len(a)).repeat_interleave(k)
        measured = pair_distances(a, b, rows, found.index.flatten()).view(len(a), k)
        torch.testing.assert_close(measured, found.squared, rtol=1e-12, atol=0)
        assert all(len(set(row.tolist())) == k for row in found.index)
        if same:
            assert (found.index != torch.arange(len(a))[:, None]).all()


@pytest.mark.parametrize("name", SETS)
def test_balls_are_counted_as_by_all_distances(name):
    x, y = SETS[name]()
    for k in (1, 5):
        radii = nearest(x, x, k, same=True).squared[:, -1]
        d = squared(y, x)
        clear = ((d - radii).abs() > 1e-12 * radii) | (d == radii)
        assert clear.float().mean() > 0.9
        low, high = ((d <= radii) & clear).sum(1), ((d <= radii) | ~clear).sum(1)
        found = inside(y, x, radii)
        assert ((low <= found) & (found <= high)).all()
        own = inside(x, x, radii, same=True)
        assert (own.sum() >= k * len(x)) and (name != "gaussian" or own.sum() == k * len(x))


def test_blocks_of_rows_and_columns_change_nothing(monkeypatch):
    x, y = SETS["gaussian"]()
    radii = nearest(y, y, 3, same=True).squared[:, -1]
    whole = nearest(x, y, 5), nearest(x, x, 5, same=True), inside(x, y, radii), inside(y, y, radii, same=True)
    monkeypatch.setattr(neighbours, "_ROWS", 7)
    monkeypatch.setitem(neighbours._BLOCK, "cpu", 7 * 13)
    parts = nearest(x, y, 5), nearest(x, x, 5, same=True), inside(x, y, radii), inside(y, y, radii, same=True)
    for a, b in zip(whole[:2], parts[:2], strict=True):
        assert torch.equal(a.squared, b.squared) and torch.equal(a.index, b.index)
    assert torch.equal(whole[2], parts[2]) and torch.equal(whole[3], parts[3])


def test_the_bound_stays_below_the_distance_at_2048_features():
    x = (torch.randn(200, 2048) * 3 + 1).relu()
    y = torch.cat([x[:100] + 1e-3 * torch.randn(100, 2048), torch.randn(200, 2048)])
    a, b, norms_a, norms_b, scale = neighbours._prepared(x, y)
    c = (2048 + 16) * neighbours._U
    low = torch.addmm(((1 - c) * norms_b).float(), a, b.T, alpha=-2) + ((1 - c) * norms_a).float()[:, None]
    exact = (a.double()[:, None, :1] * 0).squeeze(-1) + torch.cdist(
        x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist"
    ).square() * scale**2
    assert (low.double() <= exact).all() and (exact - low <= 4 * c * (norms_a[:, None] + norms_b)).all()
    near = nearest(x[:100], y, 1)
    assert (near.index[:, 0] == torch.arange(100)).all()
    torch.testing.assert_close(near.squared.sqrt().mean(), torch.tensor(0.045).double(), rtol=0.05, atol=0)


def test_certificates_hold_so_that_few_rows_are_measured_against_everybody(monkeypatch):
    rows = []
    monkeypatch.setattr(neighbours, "_exhaustive", lambda *a: rows.append(len(a[2])) or 1 / 0)
    nearest(torch.randn(500, 128) + 1000, torch.randn(800, 128) + 1000, 5)  # centred, or nothing would hold
    nearest(torch.zeros(300, 3), torch.zeros(300, 3), 5)
    with pytest.raises(ZeroDivisionError):
        nearest(lattice(300, 2, 0), lattice(300, 2, 1) + 0.3, 5)
    assert rows == [128]


def test_reduced_precision_of_products_is_not_trusted():
    x, y = SETS["gaussian"]()
    torch.set_float32_matmul_precision("medium")
    try:
        assert neighbours._prepared(x, y)[0].dtype == torch.float64
        torch.testing.assert_close(nearest(x, y, 3).squared, by_sorting(x, y, 3, False), rtol=1e-12, atol=0)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_one_tensor_in_both_roles_is_its_own_neighbour_between_sets_only():
    x, passes = torch.randn(30, 2), Passes()
    assert (passes.between(x, x, 1).squared == 0).all() and (passes.within(x, 1).squared > 0).all()
    assert (passes.inside(x, x, 2) >= 1).all()


def test_passes_are_made_once(monkeypatch):
    made = []
    real = neighbours.nearest
    monkeypatch.setattr(neighbours, "nearest", lambda *a, **kw: made.append(a[2]) or real(*a, **kw))
    x, y, passes = torch.randn(30, 2), torch.randn(20, 2), Passes(least=4)
    for k in (1, 4, 2, 6, 5):
        assert passes.within(x, k).squared.shape == (30, k)
        assert torch.equal(passes.between(x, y, k).squared, real(x, y, k).squared)
    assert made == [4, 4, 6, 6]


def test_too_many_neighbours_are_refused():
    x = torch.randn(5, 2)
    assert nearest(x, x, 4, same=True).squared.shape == (5, 4)
    with pytest.raises(UserError, match="k = 5 neighbours of 4 others"):
        nearest(x, x, 5, same=True)
    with pytest.raises(UserError, match="overflow"):
        nearest(1e200 * x.double(), x.double(), 1)


def test_clusters_find_separated_groups_and_fewer_rows_than_cells():
    x = torch.cat([torch.randn(40, 2) + shift for shift in (0.0, 100.0, 200.0)])
    cell, centres = clusters(x, 3, 0)
    assert len(centres) == 3 and all(len(set(part.tolist())) == 1 for part in cell.chunk(3))
    cell, centres = clusters(torch.zeros(10, 2), 3, 0)
    assert len(centres) == 1 and (cell == 0).all()
    assert np.array_equal(clusters(x, 5, 1)[0], clusters(x, 5, 1)[0])
