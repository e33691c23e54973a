"""Flows against an independent library with the same weights: log-probabilities and their gradients."""

import importlib.util
from pathlib import Path

import pytest
import torch

zuko = pytest.importorskip("zuko", reason="the peer is not installed")
_spec = importlib.util.spec_from_file_location("flows_benchmark", Path(__file__).parents[2] / "benchmarks" / "flows.py")
pair = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pair)


@pytest.mark.parametrize("name", ["maf", "iaf", "splines"])
@pytest.mark.parametrize("d", [2, 7])
def test_log_probabilities_and_gradients_are_zukos(name, d):
    torch.manual_seed(0)
    flow = pair.ours(name, d, layers=3, hidden=16).double()
    other = pair.twin(flow, d, hidden=16).double()
    x = torch.randn(50, d, dtype=torch.float64, requires_grad=True)
    mine, its = pair.log_prob(flow, x), other().log_prob(x)
    assert torch.allclose(mine, its, rtol=1e-10, atol=1e-10)
    g, h = (torch.autograd.grad(told.sum(), x)[0] for told in (mine, its))
    assert torch.allclose(g, h, rtol=1e-8, atol=1e-8) and g.abs().max() > 0.1


@pytest.mark.parametrize("name", ["maf", "iaf", "splines"])
def test_samples_are_zukos(name):
    torch.manual_seed(1)
    flow = pair.ours(name, 5, layers=3, hidden=16).double()
    z = torch.randn(50, 5, dtype=torch.float64)
    assert torch.allclose(flow.inverse(z), pair.twin(flow, 5, hidden=16).double()().transform.inv(z), atol=1e-9)
