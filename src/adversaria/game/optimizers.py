"""Optimisers as data: what a recipe writes down, turned into a torch optimiser when play begins."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Rate = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
"""0 or more and less than 1: a decay, a share."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OptimizerSpec:
    """What every optimiser has: a rate, its schedule over the stage's rounds, and a bound on the gradient's norm."""

    lr: Rate = 1e-3
    """Learning rate at its height."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the rate falls to 0 over the stage, once `hold` is over."""
    hold: Fraction = 0.0
    """Fraction of the stage during which a falling schedule still keeps its height."""
    warmup: Annotated[int, Field(ge=0)] = 0
    """Rounds over which the rate rises linearly from 0."""
    clip: Rate = 0.0
    """Largest l2 norm of the player's gradient, longer ones are scaled down; 0 for no bound."""

    def rate(self, round: int, rounds: int) -> float:
        """The learning rate at `round` (from 0) of a stage of `rounds`: a pure function, so that it resumes exactly.

        >>> [Adam(lr=1.0, schedule="linear", hold=0.5).rate(r, 4) for r in range(4)]
        [1.0, 1.0, 1.0, 0.5]
        """
        height = self.lr * min(1.0, (round + 1) / self.warmup) if self.warmup else self.lr
        if self.schedule == "constant":
            return height
        done = max(0.0, (round / max(rounds, 1) - self.hold) / (1 - self.hold))
        fall = 1 - done if self.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
        return height * max(fall, 0.0)

    def build(self, parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser over `parameters`."""
        raise TypeError("an OptimizerSpec is one of Adam, AdamW, RMSProp or SGD")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Adam(OptimizerSpec):
    """Kingma and Ba (2015), arXiv:1412.6980, Algorithm 1."""

    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Decay of the first and second moment."""
    eps: Rate = 1e-8
    """Added to the root of the second moment."""

    def build(self, parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Fused Adam over `parameters`."""
        return torch.optim.Adam(parameters, self.lr, self.betas, self.eps, fused=True)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class AdamW(Adam):
    """Adam with decoupled weight decay; Loshchilov and Hutter (2019), arXiv:1711.05101, Algorithm 2."""

    decay: Rate = 1e-2
    """Weight decay per step, times the learning rate."""

    def build(self, parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Fused AdamW over `parameters`."""
        return torch.optim.AdamW(parameters, self.lr, self.betas, self.eps, self.decay, fused=True)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RMSProp(OptimizerSpec):
    """Tieleman and Hinton (2012), lecture 6.5; the step is divided by the root of a running second moment."""

    lr: Rate = 5e-5
    """Learning rate at its height."""
    alpha: Fraction = 0.99
    """Decay of the second moment."""

    def build(self, parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """RMSProp over `parameters`, in torch's multi-tensor form."""
        return torch.optim.RMSprop(parameters, self.lr, self.alpha, foreach=True)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SGD(OptimizerSpec):
    """Stochastic gradient descent with momentum."""

    lr: Rate = 1e-2
    """Learning rate at its height."""
    momentum: Fraction = 0.0
    """Share of the last step that is taken again."""

    def build(self, parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Fused SGD over `parameters`."""
        return torch.optim.SGD(parameters, self.lr, self.momentum, fused=True)
