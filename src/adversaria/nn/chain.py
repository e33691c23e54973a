"""Several layers of normal codes, one above the other: how they are generated, and how they are inferred.

Codes of all layers lie beside each other, (n, d_1 + .. + d_L), the layer next to the data first.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call

from adversaria.distributions import log_normal
from adversaria.nn.mlp import MLP
from adversaria.nn.noise import normal
from adversaria.nn.normal_codes import moments, sampled

Moments = tuple[Tensor, Tensor]


class NormedMeans(nn.Module):
    """2 d numbers (n, 2 d), means and log sigma, with the means batch-normalised and log sigma from -1 on."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size)

    def forward(self, y: Tensor) -> Tensor:
        """(n, 2 d)."""
        mu, log_sigma = y.chunk(2, 1)
        return torch.cat([self.norm(mu), log_sigma - 1], 1)


class Generated(nn.Module):
    """p(z_L) prod_i p(z_i | z_{i+1}), the topmost standard normal, the others normal by an MLP each.

    Args:
        sizes: d_1, .., d_L.
        hidden: units in a hidden layer.
        depth: hidden layers.
    """

    def __init__(self, sizes: Sequence[int], hidden: int, depth: int) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.steps = nn.ModuleList(MLP(above, 2 * below, hidden, depth) for below, above in pairwise(self.sizes))

    def log_prob(self, z: Tensor) -> Tensor:
        """log p of codes of all layers, (n,)."""
        layers = z.split(self.sizes, 1)
        total = log_normal(layers[-1])
        for step, below, above in zip(self.steps, layers, layers[1:], strict=False):
            total = total + log_normal(below, *moments(step(above)))
        return total

    def draw(self, n: int, like: nn.Module) -> Tensor:
        """Codes of all layers, on the device of a network."""
        layers = [normal(n, self.sizes[-1], like=like)]
        for step in reversed(list(self.steps)):
            layers.append(sampled(*moments(step(layers[-1]))))
        return torch.cat(layers[::-1], 1)


class BottomUp(nn.Module):
    """q(z_1 | x) prod_i q(z_{i+1} | z_i): the data's layer first, and each from the one below.

    Args:
        first: a network from examples to 2 d_1 numbers.
        sizes: d_1, .., d_L.
        hidden: units in a hidden layer of the MLPs above it.
        depth: hidden layers.
        normed: whether means are batch-normalised, see `NormedMeans`.
    """

    def __init__(self, first: nn.Module, sizes: Sequence[int], hidden: int, depth: int, normed: bool = False) -> None:
        super().__init__()
        self.sizes = list(sizes)
        steps = [first, *(MLP(below, 2 * above, hidden, depth) for below, above in pairwise(self.sizes))]
        if normed:
            steps = [nn.Sequential(step, NormedMeans(size)) for step, size in zip(steps, self.sizes, strict=True)]
        self.steps = nn.ModuleList(steps)

    def draw(self, x: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """`k` codes of all layers for each example, (k n, d), those of the first draw first; and log q of them."""
        mu, log_sigma = (part.repeat(k, 1) for part in moments(self.steps[0](x)))
        layers = [sampled(mu, log_sigma)]
        log_q = log_normal(layers[0], mu, log_sigma)
        for step in list(self.steps)[1:]:
            mu, log_sigma = moments(step(layers[-1]))
            layers.append(sampled(mu, log_sigma))
            log_q = log_q + log_normal(layers[-1], mu, log_sigma)
        return torch.cat(layers, 1), log_q

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """log q of codes (k n, d) as `draw` gives them, (k n,)."""
        layers = z.split(self.sizes, 1)
        below = [x, *layers[:-1]]
        total = torch.zeros(len(z), dtype=z.dtype, device=z.device)
        for step, given, drawn in zip(self.steps, below, layers, strict=True):
            mu, log_sigma = (part.repeat(len(z) // len(part), 1) for part in moments(step(given)))
            total = total + log_normal(drawn, mu, log_sigma)
        return total

    def log_prob_held(self, x: Tensor, z: Tensor) -> Tensor:
        """The same, as a function of the codes only: no gradient for the weights."""
        held = {name: p.detach() for name, p in self.named_parameters()}
        found: Tensor = functional_call(_LogProb(self), {f"q.{name}": p for name, p in held.items()}, (x, z))
        return found


class _LogProb(nn.Module):
    def __init__(self, q: BottomUp) -> None:
        super().__init__()
        self.q = q

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.q.log_prob(x, z)


class Ladder(nn.Module):
    """q(z_L | x) prod_i q(z_i | z_{i+1}, x): what x tells of each layer joined with what is generated from above.

        d_i = MLP_i(d_{i-1}), d_0 = x;   (mu'_i, sigma'_i) from d_i
        q(z_i | z_{i+1}, x) = N(mu, sigma^2),   sigma^-2 = sigma'^-2 + sigma_p^-2,
        mu = sigma^2 (mu' sigma'^-2 + mu_p sigma_p^-2)

    Sonderby et al. (2016), arXiv:1602.02282, Section 2.

    Args:
        first: a network from examples to `hidden` numbers.
        sizes: d_1, .., d_L.
        hidden: units of d_i, and in a hidden layer of the MLPs above the first.
        depth: hidden layers.
        normed: whether every d_i and mu'_i is batch-normalised. Without it sigma' of the lower layers grows while they
            know little of x, and with it the gradient of mu' vanishes.
    """

    def __init__(self, first: nn.Module, sizes: Sequence[int], hidden: int, depth: int, normed: bool = False) -> None:
        super().__init__()
        up = [first, *(MLP(hidden, hidden, hidden, depth) for _ in sizes[1:])]
        heads: list[nn.Module] = [nn.Linear(hidden, 2 * size) for size in sizes]
        if normed:
            up = [nn.Sequential(step, nn.BatchNorm1d(hidden)) for step in up]
            heads = [nn.Sequential(head, NormedMeans(size)) for head, size in zip(heads, sizes, strict=True)]
        self.up, self.heads = nn.ModuleList(up), nn.ModuleList(heads)

    def draw(self, x: Tensor, p: Generated) -> tuple[Tensor, Tensor]:
        """Codes of all layers (n, d), and log q of them (n,)."""
        own = []
        for up, head in zip(self.up, self.heads, strict=True):
            x = torch.relu(up(x))
            own.append(moments(head(x)))
        mu, log_sigma = own[-1]
        layers = [sampled(mu, log_sigma)]
        log_q = log_normal(layers[0], mu, log_sigma)
        for step, (mu, log_sigma) in zip(reversed(list(p.steps)), own[-2::-1], strict=True):
            mu, log_sigma = joined((mu, log_sigma), moments(step(layers[-1])))
            layers.append(sampled(mu, log_sigma))
            log_q = log_q + log_normal(layers[-1], mu, log_sigma)
        return torch.cat(layers[::-1], 1), log_q


def joined(one: Moments, other: Moments) -> Moments:
    """The normal proportional to the product of two."""
    precisions = [torch.exp(-2 * log_sigma) for _, log_sigma in (one, other)]
    total = precisions[0] + precisions[1]
    return (one[0] * precisions[0] + other[0] * precisions[1]) / total, -0.5 * torch.log(total)
