"""Published data sets, through the ordinary loader, where this checkout has them beside it."""

import numpy as np
import pytest
from data_helpers import SHARED, pixels_of

from adversaria.data import load

needs = pytest.mark.skipif(not SHARED.is_dir(), reason="the folder shared/data is not beside this checkout")


@needs
def test_mnist_in_its_own_form():
    data = load(SHARED / "mnist")
    assert data.spec.shape == (1, 28, 28)
    assert {s: data.size(s) for s in data.splits} == {"train": 55_000, "valid": 5_000, "test": 10_000}
    assert data.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.splits["test"][0] == 60_000
    assert abs(pixels_of(data)[:60_000].mean() / 255 - 0.1307) < 1e-4


@needs
def test_cifar_test_zip():
    data = load(SHARED / "cifar10" / "test.zip")
    assert data.spec.shape == (3, 32, 32)
    assert data.spec.class_names[0] == "airplane"
    assert np.bincount(data.labels).tolist() == [1000] * 10


@needs
def test_frey_faces_are_not_square():
    data = load(SHARED / "freyfaces" / "freyfaces.npz")
    assert data.spec.shape == (1, 28, 20)
    assert len(data) == 1965


@needs
@pytest.mark.parametrize(
    ("name", "sizes"),
    [("dna", (1400, 600, 1186)), ("mushrooms", (2000, 500, 5624)), ("nips", (400, 100, 1240))],
)
def test_published_splits_of_small_binary_sets(name, sizes):
    data = load(SHARED / "small-binary" / f"{name}.npz")
    assert data.spec.kind == "binary"
    assert tuple(data.size(s) for s in ("train", "valid", "test")) == sizes
    assert set(np.unique(data.examples(100).x)) <= {0, 1}
