"""Games whose dynamics are known by hand."""

import torch
from torch import nn
from torch.nn import functional as F

from adversaria.game import SGD, Game, Player, Stage, alternating


class Number(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value)))


def two_numbers(loss_a, loss_b, a=0.0, b=0.0, rule=alternating, clamp=False, lr=0.1):
    """A game of two numbers; losses are functions of both."""
    A, B = Number(a), Number(b)
    bound = (lambda m: lambda: m.value.clamp_(-1, 1)) if clamp else (lambda m: None)
    players = (
        Player("a", (A,), lambda _: {"value": loss_a(A.value, B.value)}, SGD(lr=lr), after=bound(A)),
        Player("b", (B,), lambda _: {"value": loss_b(A.value, B.value)}, SGD(lr=lr), after=bound(B)),
    )
    stage = Stage(players, rule=rule)
    return Game(stages=[stage], networks={"a": A, "b": B}, sample=lambda n: torch.zeros(n, 1))


def bilinear(a=2.0, b=3.0, **settings):
    return two_numbers(lambda a, b: a * b, lambda a, b: -a * b, a, b, **settings)


def dirac(theta=0.0, psi=0.0, gamma=0.0, lr=0.1):
    """Mescheder et al. (2018), arXiv:1801.04406, Section 2: data at 0, samples at theta, D(x) = psi x."""
    G, D = Number(theta), Number(psi)

    def discriminator(batch):
        with torch.no_grad():  # as the recipes do: the samples are held fixed
            y = G.value.expand(len(batch))
        terms = {"real": F.softplus(-D.value * 0.0), "fake": F.softplus(D.value * y).mean()}
        return terms | {"penalty": gamma / 2 * D.value.square()}

    players = (
        Player("discriminator", (D,), discriminator, SGD(lr=lr)),
        Player("generator", (G,), lambda batch: {"saturating": -F.softplus(D.value * G.value)}, SGD(lr=lr)),
    )
    return Game(
        *players, networks={"generator": G, "discriminator": D},
        sample=lambda n: G.value.expand(n, 1), score=lambda x: D.value * x[:, 0],
    )  # fmt: skip
