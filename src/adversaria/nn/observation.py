"""p(x | decoder output), by the kind of data."""

from typing import Literal

import torch
from torch import Tensor, nn

from adversaria.distributions import log_bernoulli, log_discretised_logistic, log_normal
from adversaria.distributions.alphabet import Alphabet
from adversaria.distributions.normal import log_discretised_normal
from adversaria.errors import UserError
from adversaria.nn.pixelcnn import GatedStacks

Law = Literal["auto", "bernoulli", "normal", "logistic"]


class PixelwiseObservation(nn.Module):
    """p(x | maps) of images by a gated PixelCNN that is given maps (n, c, H, W): pixels follow one another.

    Args:
        numbers: of an image, and their law.
        shape: of it.
        maps: channels of the maps.
        width: channels of the PixelCNN's stacks.
        layers: gated layers; few leave what is global to the maps.
    """

    def __init__(self, numbers: Alphabet, shape: tuple[int, ...], maps: int, width: int, layers: int) -> None:
        super().__init__()
        colours = shape[0]
        self.numbers, self.size = numbers, (shape[1], shape[2])
        self.stacks = GatedStacks(colours, -(-width // colours) * colours, layers, colours * numbers.outputs, colours,
                                  maps=maps)  # fmt: skip

    def log_prob(self, x: Tensor, maps: Tensor) -> Tensor:
        """log p(x | maps), (n,) in nats."""
        y = self.stacks(x, maps).permute(0, 2, 3, 1).reshape(len(x), self.numbers.size, -1)
        return self.numbers.log_prob(self.numbers.line(x), y).sum(1)

    def show(self, maps: Tensor) -> Tensor:
        """A draw."""
        return self.drawn(maps, self.numbers.noise(len(maps), maps))

    def mean(self, maps: Tensor) -> Tensor:
        """The draw by a noise that is the same for all maps, so that what differs between images is the maps'."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            noise = self.numbers.noise(1, maps.cpu()).to(maps.device)
        return self.drawn(maps, noise.expand(len(maps), -1, -1))

    def drawn(self, maps: Tensor, noise: Tensor) -> Tensor:
        """The images that noise (n, d, grains) makes."""
        line = self.stacks.draw(noise, self.size, self.numbers.draw, lambda x: x[:, None], maps)
        return self.numbers.whole(line)


class Observation(nn.Module):
    """The likelihood of an example given a decoder's output of the same shape.

    | data              | law       | likelihood                                                      | learned |
    |-------------------|-----------|-----------------------------------------------------------------|---------|
    | image             | logistic  | discretised logistic on the 256 levels, the output is its mean  | scale   |
    |                   | normal    | discretised normal on the 256 levels, the output is its mean    | width   |
    | image of 2 levels | bernoulli | Bernoulli, the output is the logit of the upper level           |         |
    | binary            | bernoulli | Bernoulli, the output is the logit of a one                     |         |
    | points            | normal    | normal, the output is its mean                                  | width   |

    Scales are one a channel, or one a column. "auto" is the first law of the kind of data. Grey pixels as the
    probabilities of a Bernoulli have no likelihood, and a normal density of pixels none in bits: there is no such law.

    Raises:
        UserError: for a law that such data don't have.
    """

    def __init__(self, kind: str, shape: tuple[int, ...], levels: int = 256, law: Law = "auto") -> None:
        super().__init__()
        bits = kind == "binary" or (kind == "image" and levels == 2)
        laws: tuple[Law, ...] = ("bernoulli",) if bits else ("logistic", "normal") if kind == "image" else ("normal",)
        self.kind, self.law = kind, laws[0] if law == "auto" else law
        if self.law not in laws:
            remedy = "; for bernoulli make them black and white: --binarise static" if law == "bernoulli" else ""
            raise UserError(f"likelihood {law} of {kind} data; take {' or '.join(laws)}{remedy}")
        self.low = -1.0 if kind == "image" else 0.0
        shape = (shape[0], 1, 1) if kind == "image" else shape
        self.log_scale = None if bits else nn.Parameter(torch.full(shape, -1.0))

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """log p(x | output), (n,) in nats: of pixels, of points, or of bits."""
        if self.log_scale is None:
            return log_bernoulli((x - self.low) / (1 - self.low), output)
        if self.kind == "image":
            law = log_discretised_logistic if self.law == "logistic" else log_discretised_normal
            return law(x, output, self.log_scale)
        return log_normal(x, output, self.log_scale)

    def mean(self, output: Tensor) -> Tensor:
        """The mean of an example given the decoder's output, without `show`'s draw: a code has one example."""
        if self.log_scale is None:
            return self.low + (1 - self.low) * torch.sigmoid(output)
        return output.clamp(-1, 1) if self.kind == "image" else output

    def show(self, output: Tensor) -> Tensor:
        """What is shown as a sample: the mean of a grey or coloured image, a draw of points or bits."""
        if self.log_scale is None:
            return self.low + (1 - self.low) * torch.bernoulli(torch.sigmoid(output))
        if self.kind == "image":
            return output.clamp(-1, 1)
        return output + torch.exp(self.log_scale) * torch.randn_like(output)
