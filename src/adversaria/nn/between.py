"""The pixels between the pixels of an image of half the size, in three groups.

Reed et al. (2017), arXiv:1703.03664, Section 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions.colours import ColourMixture

GROUPS = ((0, 1), (1, 0), (1, 1))
"""Offsets of the pixels that are new at a scale."""


class Block(nn.Module):
    """x + conv3x3(elu(conv3x3(elu(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(m for _ in range(2) for m in (nn.ELU(), nn.Conv2d(width, width, 3, padding=1))))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.layers(x)


class Between(nn.Module):
    """A scale: from all pixels of half the size, the three groups of those between."""

    def __init__(self, size: tuple[int, int], width: int, layers: int, pixels: ColourMixture) -> None:
        super().__init__()
        self.size, self.pixels, colours = size, pixels, pixels.shape[0]
        self.nets = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(colours * (k + 1), width, 3, padding=1), *(Block(width) for _ in range(layers)),
                nn.ELU(), nn.Conv2d(width, pixels.outputs, 1),
            ) for k in range(len(GROUPS))
        )  # fmt: skip
        for k, inside in enumerate(split(torch.ones(1, 1, *size))[1:]):
            self.register_buffer(f"inside_{k}", inside.flatten())

    def outputs(self, parts: list[Tensor], k: int) -> Tensor:
        """For group k (n, h w, outputs), from the known pixels and the groups before."""
        y: Tensor = self.nets[k](torch.cat(parts[: k + 1], 1))
        return y.flatten(2).mT

    def log_prob(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log p (n,) of the groups of images (n, C, *size) given their known pixels, and those."""
        parts = split(x)
        log_p = [
            (
                self.pixels.log_prob(self.pixels.line(group), self.outputs(parts, k)) * self.get_buffer(f"inside_{k}")
            ).sum(1)
            for k, group in enumerate(parts[1:])
        ]
        return torch.stack(log_p).sum(0), parts[0]

    def lines(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each group of images (n, C, *size) its pixels (n, h w, C) and the outputs for them, given the groups
        before: (n, h w, outputs), beyond an odd edge too."""
        parts = split(x)
        return [(self.pixels.line(group), self.outputs(parts, k)) for k, group in enumerate(parts[1:])]

    def draw(self, x: Tensor, given: Tensor | None = None, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Images (n, C, *size) from every second pixel of theirs, in three steps: as `given` where `known` (C, *size)
        of all colours, and log p of what is known, (n,)."""
        parts, log_p = [x], x.new_zeros(len(x), dtype=torch.float64)
        for k in range(len(GROUPS)):
            y, inside = self.outputs(parts, k), self.get_buffer(f"inside_{k}")
            u = torch.rand_like(y[..., : 1 + x.shape[1]])
            group = self.pixels.draw(y, u) * inside[:, None]
            if given is not None and known is not None:
                kept = split(known[None].all(1, keepdim=True).to(x.dtype))[k + 1].flatten()
                wanted = self.pixels.line(split(given)[k + 1])
                group = torch.where(kept[:, None] > 0, wanted, group)
                log_p = log_p + self.pixels.log_prob(group, y).double() @ (kept * inside).double()
            parts.append(group.mT.unflatten(2, x.shape[2:]))
        whole = F.pixel_shuffle(torch.stack(parts, 2).flatten(1, 2), 2)
        return whole[:, :, : self.size[0], : self.size[1]], log_p


def split(x: Tensor) -> list[Tensor]:
    """The known pixels and the three groups, each of half the size; 0 beyond an odd edge."""
    x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return [x[:, :, i::2, j::2] for i, j in ((0, 0), *GROUPS)]


def places(shape: tuple[int, int, int], scales: int) -> list[Tensor]:
    """Of images (C, H, W), the places in raster order, (h w C,), of the numbers of the smallest scale and of each group
    after it; -1 beyond an odd edge."""
    channels, height, width = shape
    whole = torch.arange(1, 1 + channels * height * width).view(1, height, width, channels).permute(0, 3, 1, 2)
    found: list[Tensor] = []
    for _ in range(scales):
        whole, *groups = split(whole)
        found = [*groups, *found]
    return [part.permute(0, 2, 3, 1).flatten() - 1 for part in (whole, *found)]


def between(x: Tensor, known: Tensor, scales: int) -> list[tuple[Tensor, Tensor]]:
    """Images and what is known of them at every scale, the smallest first: every second pixel of the next one's."""
    levels = [(x, known)]
    for _ in range(scales):
        x, known = levels[0]
        levels.insert(0, (split(x)[0], split(known[None].float())[0][0].bool()))
    return levels
