"""A posterior one can draw from but not score: noise vectors of learned shapes, mixed by what the encoder says of x.

Mescheder, Nowozin and Geiger (2017), arXiv:1701.04722, Section 6.2.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from adversaria.nn.noise import normal


class NoiseBasis(nn.Module):
    """v_1 .. v_m, independent of one another and of x: v_i = f_i(eps_i), eps_i ~ N(0, I), each f_i a small network.

    Args:
        vectors: m.
        size: length of a vector.
        noise: length of eps_i.
        hidden: units in each of the two hidden layers of each f_i.
    """

    def __init__(self, vectors: int, size: int, noise: int, hidden: int) -> None:
        super().__init__()
        self.noise = noise
        widths = (noise, hidden, hidden, size)
        self.weights = nn.ParameterList(torch.randn(vectors, a, b) / a**0.5 for a, b in pairwise(widths))
        self.offsets = nn.ParameterList(torch.zeros(vectors, 1, b) for b in widths[1:])
        nn.init.normal_(self.offsets[0])  # or every f_i would start out nearly odd, and none one-sided

    def forward(self, n: int) -> Tensor:
        """`n` draws of all vectors (n, m, size)."""
        v = normal(len(self.weights[0]), n, self.noise, like=self)
        for i, (weight, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            v = torch.baddbmm(offset, leaky_relu(v, 0.2) if i else v, weight)
        return v.transpose(0, 1)


class ImplicitPosterior(nn.Module):
    """z_k = b_k(x) + sum_i a_ik(x) v_ik, with a and b from an encoder and v from a `NoiseBasis`.

    The vectors are shared by all x and don't depend on one another, so that the posterior's moments at any x follow
    from those of v, which a few hundred draws give for all x at once:

        E z_k = b_k + sum_i a_ik E v_ik,   Var z_k = sum_i a_ik^2 Var v_ik
    """

    def __init__(self, body: nn.Module, basis: NoiseBasis, size: int) -> None:
        """`body` takes examples to (n, (m + 1) size) numbers."""
        super().__init__()
        self.body, self.basis, self.size = body, basis, size

    def mix(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """b (n, size) and a (n, m, size)."""
        found = self.body(x).unflatten(1, (-1, self.size))
        return found[:, 0], found[:, 1:]

    def forward(self, x: Tensor) -> Tensor:
        """One draw of z (n, size) for each x."""
        b, a = self.mix(x)
        return b + (a * self.basis(len(x))).sum(1)

    def with_moments(self, x: Tensor, draws: int) -> tuple[Tensor, Tensor, Tensor]:
        """A draw of z, and the posterior's mean and log standard deviation by `draws` others, (n, size) each."""
        b, a = self.mix(x)
        variance, mean = torch.var_mean(self.basis(draws), 0)
        z = b + (a * self.basis(len(x))).sum(1)
        spread = (a.square() * variance).sum(1)
        return z, b + (a * mean).sum(1), 0.5 * torch.log(spread + 1e-12)
