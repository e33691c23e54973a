"""What several claims are measured with, against closed forms; those of avb are tested beside it."""

import numpy as np
import pytest
import torch

from adversaria.claims import bigan
from adversaria.claims.tools import energy_distance


def normals(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_the_energy_distance_of_points_is_twice_their_distance_and_of_one_law_nothing():
    here = torch.zeros(5, 3)
    assert energy_distance(here, here + torch.tensor([2.0, 0.0, 0.0])) == pytest.approx(4.0)
    assert energy_distance(normals(2_000, 3, seed=1), normals(2_000, 3, seed=2)) == pytest.approx(0.0, abs=0.01)


def test_a_probe_reads_what_is_linear_and_nothing_from_noise():
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.permutation(np.arange(600) % 4))
    told = torch.nn.functional.one_hot(labels, 4) + 0.1 * normals(600, 4)
    train, test = (told[:400], labels[:400]), (told[400:], labels[400:])
    assert bigan.probe(train, test, 4) > 0.99
    assert bigan.probe((normals(400, 4), labels[:400]), (normals(200, 4, seed=3), labels[400:]), 4) < 0.4
    offset = torch.tensor([1e3, 0.0, 0.0, 0.0])
    assert bigan.probe((told[:400] * 1e-3 + offset, labels[:400]), (told[400:] * 1e-3 + offset, labels[400:]), 4) > 0.99
