"""p(x | decoder output), by the kind of data."""

import torch
from torch import Tensor, nn

from adversaria.distributions import log_bernoulli, log_discretised_logistic, log_normal


class Observation(nn.Module):
    """The likelihood of an example given a decoder's output of the same shape.

    | data   | likelihood                                                     | learned here              |
    |--------|----------------------------------------------------------------|---------------------------|
    | image  | discretised logistic on the 256 levels, the output is its mean | a scale for each channel  |
    | image of 2 levels | Bernoulli, the output is the logit of the upper one |                           |
    | points | normal, the output is its mean                                 | a width for each column   |
    | binary | Bernoulli, the output is its logit                             |                           |
    """

    def __init__(self, kind: str, shape: tuple[int, ...], levels: int = 256) -> None:
        super().__init__()
        self.kind = kind
        self.low = -1.0 if kind == "image" else 0.0
        bits = kind == "binary" or (kind == "image" and levels == 2)
        shape = (shape[0], 1, 1) if kind == "image" else shape
        self.log_scale = None if bits else nn.Parameter(torch.full(shape, -1.0))

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """log p(x | output), (n,) in nats: of 8-bit pixels, of points, or of bits."""
        if self.log_scale is None:
            return log_bernoulli((x - self.low) / (1 - self.low), output)
        if self.kind == "image":
            return log_discretised_logistic(x, output, self.log_scale)
        return log_normal(x, output, self.log_scale)

    def mean(self, output: Tensor) -> Tensor:
        """The mean of an example given the decoder's output, without `show`'s draw: a code has one example."""
        if self.log_scale is None:
            return self.low + (1 - self.low) * torch.sigmoid(output)
        return output.clamp(-1, 1) if self.kind == "image" else output

    def show(self, output: Tensor) -> Tensor:
        """What is shown as a sample: the mean of an image, a draw of points or bits."""
        if self.log_scale is None:
            return self.low + (1 - self.low) * torch.bernoulli(torch.sigmoid(output))
        if self.kind == "image":
            return output.clamp(-1, 1)
        return output + torch.exp(self.log_scale) * torch.randn_like(output)
