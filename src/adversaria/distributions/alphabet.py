"""The numbers of a discrete example one after the other: how a network reads them, scores them and draws them."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from adversaria.distributions.logistic import log_discretised_logistic
from adversaria.distributions.precision import full

Discrete = Literal["binary", "image", "sequence"]
LEVELS = 256


def quantile(logits: Float[Tensor, "*n k"], u: Float[Tensor, "*n 1"]) -> Int[Tensor, "*n"]:
    """The categories at u in [0, 1) of distributions by their logits or log probabilities."""
    return (u.double() >= logits.double().softmax(-1).cumsum(-1)[..., :-1]).sum(-1)


class Alphabet:
    """Examples (n, *shape) as lines (n, d) of numbers in raster order, the channels of a pixel beside each other.

    | kind     | a number is                  | a network reads | and gives `outputs` numbers for it                   |
    |----------|------------------------------|-----------------|------------------------------------------------------|
    | binary   | 0 or 1                       | 2 x - 1         | 1, the logit of a one                                |
    | image    | one of `levels` in [-1, 1]   | x               | as many logits, or weight, mean and log scale of     |
    |          |                              |                 | each of `mixture` discretised logistics (1701.05517, |
    |          |                              |                 | Eq. 2); of 2 levels the logit of the upper one       |
    | sequence | one of `categories` symbols  | its indicators  | as many logits                                       |

    A number is a function of the outputs for it and of `grains` uniform numbers, so that an example is a function of
    the model and of noise drawn beforehand: the quantile at one of them or, from a mixture, that of the logistic which
    the other one picks.
    """

    def __init__(
        self, kind: Discrete, shape: tuple[int, ...], categories: int = 0, mixture: int = 0, levels: int = LEVELS
    ) -> None:
        self.kind, self.shape = kind, shape
        self.size = math.prod(shape)
        self.levels = {"binary": 2, "image": levels, "sequence": categories}[kind]
        self.bits = kind != "sequence" and self.levels == 2
        self.mixture = mixture if kind == "image" and not self.bits else 0
        self.inputs = categories if kind == "sequence" else 1
        self.outputs = 3 * self.mixture or (1 if self.bits else self.levels)
        self.grains = 2 if self.mixture else 1

    def line(self, x: Tensor) -> Tensor:
        """Examples (n, *shape) -> their numbers (n, d)."""
        return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x.flatten(1)

    def whole(self, line: Tensor) -> Tensor:
        """Numbers (n, d) -> examples (n, *shape)."""
        if len(self.shape) != 3:
            return line.view(len(line), *self.shape)
        channels, height, width = self.shape
        return line.view(-1, height, width, channels).permute(0, 3, 1, 2).contiguous()

    def to_levels(self, x: Tensor) -> Tensor:
        """Examples (n, *shape) -> the levels of their numbers, long (n, d)."""
        return self.index(self.line(x))

    def from_levels(self, levels: Tensor) -> Tensor:
        """The inverse of `to_levels`, in the default type; symbols stay indices."""
        return self.whole(self.number(levels, torch.empty(0)))

    def noise(self, n: int, like: Tensor) -> Tensor:
        """Uniform in [0, 1), (n, d, grains), on the device of `like` and in its type."""
        return torch.rand(n, self.size, self.grains, dtype=like.dtype, device=like.device)

    def blank(self, n: int, like: Tensor) -> Tensor:
        """Numbers (n, d), all zero, on the device of `like`."""
        dtype = torch.long if self.kind == "sequence" else like.dtype
        return torch.zeros(n, self.size, dtype=dtype, device=like.device)

    def read(self, line: Tensor) -> Tensor:
        """Numbers (n, d) -> what a network reads, (n, d, inputs)."""
        if self.kind == "sequence":
            return F.one_hot(line, self.levels).to(torch.get_default_dtype())
        return (2 * line - 1 if self.kind == "binary" else line)[..., None]

    def index(self, line: Tensor) -> Tensor:
        """Which level each number is, long, of the same shape."""
        return ((line + 1) * ((self.levels - 1) / 2)).round().long() if self.kind == "image" else line.long()

    def number(self, index: Tensor, like: Tensor) -> Tensor:
        """The numbers at these levels, of the same shape, in `like`'s type; symbols stay indices."""
        if self.kind == "sequence":
            return index
        return index.to(like.dtype) / ((self.levels - 1) / 2) - 1 if self.kind == "image" else index.to(like.dtype)

    def log_prob(self, line: Shaped[Tensor, "*n d"], y: Float[Tensor, "*n d k"]) -> Float[Tensor, "*n d"]:
        """log p of each number, in nats and at least in float32, given a network's outputs."""
        y = full(y)
        if self.bits:
            ones = self.index(line).to(y.dtype)
            return -F.binary_cross_entropy_with_logits(y.squeeze(-1), ones, reduction="none")
        if self.mixture:
            return self._mixed(line[..., None], y)
        return -F.cross_entropy(y.flatten(0, -2), self.index(line).flatten(), reduction="none").view(line.shape)

    def log_levels(self, y: Float[Tensor, "*n k"]) -> Float[Tensor, "*n levels"]:
        """log p of every level, given a network's outputs."""
        if self.bits:
            return torch.cat([F.logsigmoid(-y), F.logsigmoid(y)], -1)
        if not self.mixture:
            return y.log_softmax(-1)
        levels = self.number(torch.arange(self.levels, device=y.device), y)
        return self._mixed(levels[:, None].expand(*y.shape[:-1], self.levels, 1), y[..., None, :])

    def law(self, line: Tensor, y: Float[Tensor, "n d k"]) -> Float[Tensor, "n d levels"]:
        """log p of every level of each number, given a network's outputs."""
        return self.log_levels(full(y))

    def draw(self, y: Float[Tensor, "*n k"], u: Float[Tensor, "*n grains"]) -> Tensor:
        """The numbers (*n,) that a network's outputs and noise in [0, 1) make."""
        if not self.mixture:
            return self.number(quantile(self.log_levels(y), u), y)
        weight, mean, log_scale = self._parts(y)
        chosen = quantile(weight, u[..., :1])[..., None]
        mean, scale = mean.gather(-1, chosen)[..., 0], log_scale.gather(-1, chosen)[..., 0].exp()
        x = mean + scale * torch.logit(u[..., 1], eps=torch.finfo(u.dtype).eps)
        return self.number(self.index(x.clamp(-1, 1)), y)

    def _parts(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight, mean, log_scale = y.unflatten(-1, (3, self.mixture)).unbind(-2)
        return weight, mean, log_scale.clamp_min(-7)

    def _mixed(self, x: Tensor, y: Tensor) -> Tensor:
        weight, mean, log_scale = self._parts(y)
        x, mean, log_scale = torch.broadcast_tensors(x.to(y.dtype), mean, log_scale)
        flat = log_discretised_logistic(x.reshape(-1, 1), mean.reshape(-1, 1), log_scale.reshape(-1, 1), self.levels)
        return torch.logsumexp(weight.log_softmax(-1) + flat.view(x.shape), -1)
