"""Rates at their ends, bounds on gradients, and optimisers that are torch's own."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from adversaria.game import SGD, Adam, AdamW, Player, Referee, RMSProp, Stage, play


def test_a_linear_rate_starts_at_its_height_and_ends_at_zero():
    spec = Adam(lr=2.0, schedule="linear")
    assert [spec.rate(r, 4) for r in range(5)] == [2.0, 1.5, 1.0, 0.5, 0.0]
    assert spec.rate(9, 4) == 0, "past the end it does not turn negative"


def test_a_cosine_rate_falls_by_half_a_wave():
    spec = Adam(lr=2.0, schedule="cosine")
    assert [spec.rate(r, 4) for r in range(5)] == pytest.approx([1 + math.cos(math.pi * r / 4) for r in range(5)])
    assert spec.rate(0, 4) == 2 and spec.rate(4, 4) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_held_rate_falls_only_when_the_hold_is_over(schedule):
    spec = Adam(lr=1.0, schedule=schedule, hold=0.5)
    rates = [spec.rate(r, 10) for r in range(11)]
    assert rates[:6] == [1.0] * 6 and rates[6] < 1 and rates[10] == pytest.approx(0, abs=1e-15)
    assert rates == sorted(rates, reverse=True)
    assert spec.rate(7, 10) == pytest.approx(0.6 if schedule == "linear" else (1 + math.cos(0.4 * math.pi)) / 2)


def test_a_rate_warms_up_in_even_steps_and_multiplies_what_follows():
    spec = Adam(lr=1.0, warmup=4)
    assert [spec.rate(r, 0) for r in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    both = replace(spec, schedule="linear")
    assert [both.rate(r, 8) for r in range(8)] == pytest.approx([min(1, (r + 1) / 4) * (1 - r / 8) for r in range(8)])


def test_a_constant_rate_does_not_look_at_the_end():
    assert {SGD(lr=0.3).rate(r, n) for r in range(5) for n in (0, 3, 100)} == {0.3}


def test_the_referee_sets_the_rate_of_each_round():
    w = nn.Linear(1, 1, bias=False)
    spec = SGD(lr=1.0, schedule="linear")
    stage = Stage((Player("w", (w,), lambda b: {"loss": w.weight.sum()}, spec),))
    w.weight.data.fill_(10.0)
    values = [w.weight.item() for _ in play(stage, [torch.ones(1, 1)], rounds=4)]
    assert values == [9.0, 8.25, 7.75, 7.5]


def test_slowing_down_scales_every_rate():
    w = nn.Linear(1, 1, bias=False)
    stage = Stage((Player("w", (w,), lambda b: {"loss": w.weight.sum()}, SGD(lr=1.0)),))
    referee = Referee(stage, 2)
    referee.slowdown = 0.5
    w.weight.data.fill_(10.0)
    assert [w.weight.item() for _ in play(stage, [torch.ones(1, 1)], referee=referee)] == [9.5, 9.0]


@pytest.mark.parametrize(("size", "length"), [(10.0, 1.0), (0.5, 0.5)])
def test_only_a_gradient_longer_than_the_bound_is_cut_to_it(size, length):
    a, b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    module = nn.ParameterList([a, b])
    direction = torch.tensor([2.0, 1.0, 2.0]) / 3 * size
    loss = lambda _: {"loss": a @ direction[:2] + b @ direction[2:]}  # noqa: E731
    stage = Stage((Player("w", (module,), loss, SGD(lr=1.0, clip=1.0)),))
    record = next(play(stage, [torch.ones(1, 1)], rounds=1))
    step = -torch.cat([a, b]).detach()
    torch.testing.assert_close(step, direction / size * length, rtol=1e-5, atol=0)
    assert record.gradient_norms["w"] == pytest.approx(size), "the record has the norm before the cut"


TORCH = {
    Adam(lr=0.01, betas=(0.5, 0.9), eps=1e-6): lambda p: torch.optim.Adam(p, 0.01, (0.5, 0.9), 1e-6),
    AdamW(lr=0.01, decay=0.2): lambda p: torch.optim.AdamW(p, 0.01, (0.9, 0.999), 1e-8, 0.2),
    RMSProp(lr=0.01, alpha=0.8): lambda p: torch.optim.RMSprop(p, 0.01, 0.8),
    SGD(lr=0.01, momentum=0.7): lambda p: torch.optim.SGD(p, 0.01, 0.7),
}


@pytest.mark.parametrize("spec", TORCH, ids=lambda spec: type(spec).__name__)
def test_specs_build_torchs_optimisers_with_their_numbers(spec, float64):
    x = torch.randn(5, 3)
    nets = [nn.Linear(3, 2) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    stage = Stage((Player("w", (nets[0],), lambda b: {"loss": nets[0](b.x).square().mean()}, spec),))
    for _ in play(stage, [x], rounds=6):
        pass
    optimizer = TORCH[spec](nets[1].parameters())
    for _ in range(6):
        optimizer.zero_grad()
        nets[1](x).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(nets[0].weight, nets[1].weight, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "wrong", [{"lr": -1.0}, {"betas": (0.9, 1.0)}, {"hold": 1.0}, {"warmup": -1}, {"schedule": "step"}, {"rate": 1.0}]
)
def test_numbers_out_of_range_and_unknown_names_are_errors(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Adam(**wrong)
