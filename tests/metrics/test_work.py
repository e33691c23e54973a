"""How many codes a likelihood is measured by follows from what they cost, and from nothing else."""

import pytest
import torch

from adversaria import catalogue
from adversaria.data import DataSpec
from adversaria.metrics import negative_log_likelihood
from adversaria.metrics.work import CODES, LEAST, WORK, codes_within, operations


def dear(width, **changed):
    """A model whose every code takes two products of 1 x `width` and `width` x `width`."""
    W = torch.ones(width, width) / width

    def likelihood(x, z):
        return (z[:, :1].expand(-1, width) @ W @ W).mean(1) + x.mean(1)

    model = {
        "likelihood": likelihood, "prior": lambda z: -0.5 * z.square().sum(1),
        "posterior": lambda x: (torch.zeros(len(x), 2), torch.zeros(len(x), 2)),
    }  # fmt: skip
    return {**model, **changed}


def test_a_product_takes_two_operations_for_each_of_its_terms():
    a, b = torch.rand(3, 5), torch.rand(5, 7)
    assert operations(lambda: a @ b) == 2 * 3 * 5 * 7
    assert operations(lambda: a + 1) == 0


def test_dear_models_are_measured_by_fewer_codes():
    x = torch.zeros(1_000, 4)
    each = 2 * 2 * 2_000**2
    assert codes_within(dear(2_000), x) == int(WORK / (1_000 * each)) == 312
    assert codes_within(dear(2_000), x, most=100) == 100
    assert codes_within(dear(200), x) == CODES
    assert codes_within(dear(2_000), torch.zeros(100_000, 4)) == LEAST
    assert codes_within(dear(2_000), torch.zeros(100_000, 4), most=5) == 5


def test_an_encoder_counts_where_it_runs_for_every_code():
    W = torch.ones(2_000, 2_000)

    def infer(x):
        return x[:, :1].expand(-1, 2_000) @ W, torch.zeros(len(x))

    model = dear(2_000, infer=infer)
    assert codes_within(model, torch.zeros(1_000, 4)) == 312
    del model["posterior"]
    assert codes_within(model, torch.zeros(1_000, 4)) == int(WORK / (1_000 * 3 * 2 * 2_000**2))


def test_what_runs_once_for_all_codes_does_not_count():
    vamp = catalogue.make("vamp-prior-vae", "small").build(DataSpec("image", (1, 28, 28), levels=2)).eval()
    assert codes_within(vamp, torch.ones(1_000, 1, 28, 28)) == CODES


@pytest.mark.parametrize("samples", [None, 7])
def test_the_number_is_told_and_draws_stay_as_they_are(samples, monkeypatch):
    x = torch.zeros(20, 4)
    monkeypatch.setattr("adversaria.metrics.work.WORK", 20 * 40 * 2 * 2 * 300**2)
    before = torch.get_rng_state()
    found = negative_log_likelihood(dear(300), x, data="binary", samples=samples)
    assert f"K={samples or 40}" in found.protocol["kind"] and found.details["K"] == (samples or 40)
    assert torch.equal(torch.get_rng_state(), before)
    assert found == negative_log_likelihood(dear(300), x, data="binary", samples=samples or 40)
