"""Multiscale PixelCNN: a small image pixel by pixel, then all pixels between at once, three steps for twice the size.

    x^0 = every 2^S-th pixel,   p(x) = p(x^0) prod_s prod_k p(x^s_k | x^{s-1}, x^s_1 .. x^s_{k-1})          Eq. 1, 2
    x^s_1, x^s_2, x^s_3   the pixels of scale s to the right of known ones, below them, and below to the right  Fig. 2
    p(x^s_k | ...) independent over the pixels of a group, given all that came before
    one player    min  -E log p(x)

A whole pixel is a mixture of discretised logistics over its colours.
"""

import torch
import torch.nn.functional as F
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.distributions.colours import ColourMixture
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.pixelcnn import GatedStacks

REFERENCE = Reference(
    title="Parallel Multiscale Autoregressive Density Estimation",
    authors="Reed, van den Oord, Kalchbrenner, Colmenarejo, Wang, Chen, Belov, de Freitas",
    year=2017, arxiv="1703.03664", venue="ICML",
)  # fmt: skip
PRESETS = {
    "smoke": {"width": 6, "layers": 2, "mixture": 2, "batch": 8, "rounds": 4},
    "small": {"width": 32, "layers": 3, "rounds": 1_000},
}
DEPARTURES = (
    "Mixtures of discretised logistics for whole pixels; the paper has a softmax for each colour.",
    "No groups within a group: three steps for a scale, where the paper's best model on faces takes more.",
    "A residual network for each group and scale, on the groups before it side by side.",
)
CLAIMS = ("Drawing an image takes far fewer steps than it has pixels (Section 3.2).",)
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
            self.pixels.log_prob(self.pixels.line(group), self.outputs(parts, k)) @ self.get_buffer(f"inside_{k}")
            for k, group in enumerate(parts[1:])
        ]
        return torch.stack(log_p).sum(0), parts[0]

    def draw(self, x: Tensor) -> Tensor:
        """Images (n, C, *size) from every second pixel of theirs, in three steps."""
        parts = [x]
        for k in range(len(GROUPS)):
            y = self.outputs(parts, k)
            u = torch.rand_like(y[..., : 1 + x.shape[1]])
            group = self.pixels.draw(y, u) * self.get_buffer(f"inside_{k}")[:, None]
            parts.append(group.mT.unflatten(2, x.shape[2:]))
        return F.pixel_shuffle(torch.stack(parts, 2).flatten(1, 2), 2)[:, :, : self.size[0], : self.size[1]]


def split(x: Tensor) -> list[Tensor]:
    """The known pixels and the three groups, each of half the size; 0 beyond an odd edge."""
    x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return [x[:, :, i::2, j::2] for i, j in ((0, 0), *GROUPS)]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class MultiscalePixelCNN(Recipe):
    """Multiscale PixelCNN."""

    KINDS = ("image",)

    base: Count = 8
    """Pixels of a side, at most, that are drawn one by one (Section 4: 4 or 8)."""
    mixture: Count = 5
    """Logistics in the mixture for a pixel."""
    width: Count = 48
    """Channels."""
    layers: Count = 4
    """Gated layers of the small image's model, and residual blocks of every group's."""
    adam: Adam = Adam(lr=1e-3, clip=10.0, schedule="cosine")
    """For all weights."""
    batch: Count = 64
    """Examples a round."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        C, height, width = spec.shape
        sizes = [(height, width)]
        while max(sizes[0]) > self.base:
            sizes.insert(0, (-(-sizes[0][0] // 2), -(-sizes[0][1] // 2)))
        A = ColourMixture((C, *sizes[0]), self.mixture, spec.levels)
        P = GatedStacks(C, self.width, self.layers, A.outputs)
        scales = [Between(size, self.width, self.layers, A) for size in sizes[1:]]

        def log_prob(x: Tensor) -> Tensor:
            total = torch.zeros(len(x), device=x.device)
            for scale in reversed(scales):
                log_p, x = scale.log_prob(x)
                total = total + log_p
            return total + A.log_prob(A.line(x), P(x).flatten(2).mT).sum(1)

        def nll(batch: Batch) -> Terms:
            return {"nll": -log_prob(batch.x).mean()}

        def sample(n: int) -> Tensor:
            noise = A.noise(n, next(P.parameters()))
            x = A.whole(P.draw(noise, sizes[0], A.draw, lambda pixel: pixel))
            for scale in scales:
                x = scale.draw(x)
            return x

        return Game(
            Player("model", (P, *scales), nll, self.adam),
            networks={"model": P, **{f"scale_{s}": scale for s, scale in enumerate(scales, 1)}},
            sample=sample,
            log_prob=log_prob,
        )
