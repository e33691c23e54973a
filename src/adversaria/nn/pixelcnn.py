"""Convolutions that see no pixel but earlier ones, in raster order, and within a pixel no colour but earlier ones.

Feature maps are divided into as many groups of channels as a pixel has colours; group g knows the colours before g.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions.alphabet import quantile

GAIN = 12**0.5
"""Of a gate's weights over torch's, whose variance is 1 / (3 inputs): a gate halves what is small, and without it a
layer passes a quarter of what it sees, which in the vertical stack nothing makes up for."""
Pick = Callable[[Tensor, Tensor], Tensor]
See = Callable[[Tensor], Tensor]


def earlier(outputs: int, inputs: int, groups: int, itself: bool) -> Tensor:
    """Which inputs an output may see of its own pixel, bool (outputs, inputs): those of groups before its own, and
    where `itself` of its own too."""
    o, i = (torch.arange(k) * groups // k for k in (outputs, inputs))
    return o[:, None] >= i if itself else o[:, None] > i


class MaskedConv2d(nn.Conv2d):
    """A convolution of `kernel` x `kernel` pixels with the weights of later pixels masked.

    van den Oord et al. (2016), arXiv:1601.06759, Section 3.4: masks A, with `itself` false, and B.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int, itself: bool) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        mask, middle = torch.zeros_like(self.weight), kernel // 2
        mask[:, :, :middle] = 1
        mask[:, :, middle, :middle] = 1
        mask[:, :, middle, middle] = earlier(outputs, inputs, groups, itself).to(mask.dtype)
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, H, W) -> (n, outputs, H, W)."""
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class Leftward(nn.Conv2d):
    """A convolution of a pixel and the `reach` pixels left of it; of its own pixel it sees what `earlier` says.

    The outputs are `parts` one after the other, each of them with all groups in order.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, reach: int, groups: int, itself: bool, parts: int = 1) -> None:
        super().__init__(inputs, outputs, (1, reach + 1))
        mask = torch.ones_like(self.weight)
        mask[:, :, 0, reach] = earlier(outputs // parts, inputs, groups, itself).repeat(parts, 1).to(mask.dtype)
        self.reach = reach
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, H, W) -> (n, outputs, H, W)."""
        return F.conv2d(F.pad(x, (self.reach, 0, 0, 0)), self.weight * self.mask, self.bias)

    def matrix(self) -> Tensor:
        """The masked weights on a patch (inputs, reach + 1) as a matrix."""
        return (self.weight * self.mask).flatten(1)


class GatedLayer(nn.Module):
    """One layer of both stacks, tanh(a) * sigmoid(b) (Eq. 2), with a residual in the horizontal one (Fig. 2)."""

    def __init__(self, inputs: int, width: int, reach: int, groups: int, first: bool, classes: int, maps: int) -> None:
        super().__init__()
        self.reach, self.first = reach, first
        # The first layer ends above the current row; later ones may include it, their input has ended there.
        self.vertical = nn.Conv2d(inputs, 2 * width, (reach + (not first), 2 * reach + 1))
        self.horizontal = Leftward(inputs, 2 * width, reach, groups, not first, parts=2)
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = Leftward(width, width, 0, groups, True)
        for conv in (self.vertical, self.horizontal):
            conv.weight.data.mul_(GAIN)
        self.label = nn.Embedding(classes, 4 * width) if classes else None
        self.maps = nn.Conv2d(maps, 4 * width, 1) if maps else None

    def told(self, given: Tensor | None) -> Tensor | None:
        """What is added before the gates for labels (n,), or for maps (n, c, H, W): (n, 4 width, 1 or H, 1 or W)."""
        if given is None or (self.label is None and self.maps is None):
            return None
        told: Tensor = self.maps(given) if self.maps is not None else self.label(given)[:, :, None, None]  # type: ignore[misc]
        return told

    def above(self, v: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor]:
        """From rows (n, inputs, r + H, 2 r + W) padded above and at both sides, of the first layer without the last:
        the vertical features (n, width, H, W) and what the horizontal stack takes from them."""
        v = self.vertical(v)
        side = self.across(v)
        if told is not None:
            for_v, for_side = told.chunk(2, 1)
            v, side = v + for_v, side + for_side
        return gate(v), side

    def forward(self, v: Tensor, h: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """Vertical and horizontal features (n, width, H, W), twice."""
        r = self.reach
        v, side = self.above(F.pad(v, (r, r, r, -1 if self.first else 0)), self.told(given))
        side = self.out(gate(self.horizontal(h) + side))
        return v, side if self.first else side + h


def gate(x: Tensor) -> Tensor:
    """tanh(a) * sigmoid(b) for the halves a, b of the channels."""
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedStacks(nn.Module):
    """Maps (n, inputs, H, W) -> (n, outputs, H, W), each pixel's from those before it and none of them missed.

    A vertical stack sees all rows above, a horizontal one what lies to the left in its row and what the vertical one
    has seen above, so that there is no blind spot.

    van den Oord et al. (2016), arXiv:1606.05328, Section 2.

    Args:
        inputs: channels of the input, as many for each colour.
        width: channels of each stack.
        layers: gated layers; the first reaches 3 pixels far, the others 1.
        outputs: channels of the output, as many for each colour.
        groups: colours of a pixel.
        classes: number of labels the model is conditional on; 0 for none (Eq. 4).
        maps: channels of the maps (n, maps, H, W) that it is conditional on instead (Section 2.3); 0 for none.
    """

    def __init__(
        self, inputs: int, width: int, layers: int, outputs: int, groups: int = 1, classes: int = 0, maps: int = 0
    ) -> None:
        super().__init__()
        if width % groups:
            raise ValueError(f"{width} channels don't divide into {groups} groups")
        self.groups = groups
        self.layers = nn.ModuleList(
            GatedLayer(width if i else inputs, width, 1 if i else 3, groups, i == 0, classes, maps)
            for i in range(layers)
        )
        ends = [Leftward(width, k, 0, groups, True) for k in (width, outputs)]
        self.head = nn.Sequential(nn.ReLU(), ends[0], nn.ReLU(), ends[1])

    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Outputs (n, outputs, H, W)."""
        v = h = x
        for layer in self.layers:
            v, h = layer(v, h, given)
        return self.head(h)

    @torch.no_grad()
    def draw(self, noise: Tensor, shape: tuple[int, int], pick: Pick, see: See, given: Tensor | None = None) -> Tensor:
        """Numbers (n, d) drawn in raster order, each feature computed once.

        The vertical stack goes row by row and the horizontal one pixel by pixel, colour by colour, over maps that are
        there from the start.

        Args:
            noise: (n, d, grains).
            shape: height and width; d is height * width * groups.
            pick: a number's outputs (n, k) and noise (n, grains) -> numbers (n,).
            see: numbers (n,) -> input channels (n, inputs / groups).
            given: labels (n,) or maps (n, maps, H, W), for a conditional model.
        """
        return Drawing(self, len(noise), shape, given).draw(noise, pick, see)


class Drawing:
    """The state of drawing n grids from `GatedStacks`: every layer's input so far, padded; its masked weights."""

    def __init__(self, net: GatedStacks, n: int, shape: tuple[int, int], given: Tensor | None) -> None:
        self.net, self.n, self.shape = net, n, shape
        self.layers = [layer for layer in net.layers if isinstance(layer, GatedLayer)]
        self.told = [layer.told(given) for layer in self.layers]
        like, (height, width) = self.layers[0].vertical.weight, shape
        channels = [layer.vertical.in_channels for layer in self.layers]
        reach = [layer.reach for layer in self.layers]
        self.maps = [
            like.new_zeros(n, c, height + r, width + 2 * r) for c, r in zip(channels, reach, strict=True)
        ]  # of the vertical stack
        self.lines = [like.new_zeros(n, c, width + r) for c, r in zip(channels, reach, strict=True)]
        self.weights = [(layer.horizontal.matrix(), layer.out.matrix()) for layer in self.layers]
        _, one, _, two = net.head
        assert isinstance(one, Leftward) and isinstance(two, Leftward)
        self.ends = (one, one.matrix()), (two, two.matrix())

    def draw(self, noise: Tensor, pick: Pick, see: See) -> Tensor:
        """Numbers (n, d)."""
        height, width = self.shape
        groups = self.net.groups
        each = self.maps[0].shape[1] // groups
        numbers: list[Tensor] = []
        r = self.layers[0].reach
        for i in range(height):
            sides = self.row(i)
            for line in self.lines:
                line.zero_()
            for j in range(width):
                for g in range(groups):
                    y = self.pixel(j, sides).unflatten(1, (groups, -1))[:, g]
                    number = pick(y, noise[:, len(numbers)])
                    numbers.append(number)
                    seen = see(number)
                    self.lines[0][:, g * each : (g + 1) * each, r + j] = seen
                    self.maps[0][:, g * each : (g + 1) * each, r + i, r + j] = seen
        return torch.stack(numbers, 1)

    def row(self, i: int) -> list[Tensor]:
        """What each layer's horizontal stack takes from above, (n, 2 width, W), for row i."""
        sides = []
        for k, layer in enumerate(self.layers):
            r, told = layer.reach, self.told[k]
            if told is not None and layer.maps is not None:
                told = told[:, :, i : i + 1]
            v, side = layer.above(self.maps[k][:, :, i : i + r + (not layer.first)], told)
            if k + 1 < len(self.layers):
                beyond = self.layers[k + 1].reach
                self.maps[k + 1][:, :, beyond + i, beyond : beyond + self.shape[1]] = v[:, :, 0]
            sides.append(side[:, :, 0])
        return sides

    def pixel(self, j: int, sides: list[Tensor]) -> Tensor:
        """Outputs (n, outputs) for column j of the row."""
        h = self.lines[0][:, :, 0]
        for k, (layer, (across, out)) in enumerate(zip(self.layers, self.weights, strict=True)):
            line = self.lines[k]
            patch = line[:, :, j : j + layer.reach + 1].flatten(1)
            side = gate(F.linear(patch, across, layer.horizontal.bias) + sides[k][:, :, j])
            side = F.linear(side, out, layer.out.bias)
            h = side if layer.first else side + h
            if k + 1 < len(self.layers):
                self.lines[k + 1][:, :, self.layers[k + 1].reach + j] = h
        for end, weight in self.ends:
            h = F.linear(F.relu(h), weight, end.bias)
        return h


class GatedPixelCNN(nn.Module):
    """Grids of categories (n, H, W), long -> logits (n, categories, H, W) for each cell given the cells before it.

    Args:
        categories: number of values of a cell.
        width: channels of each stack.
        layers: gated layers.
        classes: number of labels the model is conditional on; 0 for none.
    """

    def __init__(self, categories: int, width: int, layers: int, classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(categories, width)
        self.stacks = GatedStacks(width, width, layers, categories, classes=classes)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (n, categories, H, W)."""
        logits: Tensor = self.stacks(self.embedding(codes).permute(0, 3, 1, 2), labels)
        return logits

    @torch.no_grad()
    def sample(self, n: int, shape: tuple[int, int], labels: Tensor | None = None) -> Tensor:
        """Grids (n, H, W) drawn cell by cell."""
        noise = torch.rand(n, shape[0] * shape[1], 1, device=self.embedding.weight.device)
        return self.stacks.draw(noise, shape, quantile, self.embedding, labels).view(n, *shape)
