"""Multiscale PixelCNN: a small image pixel by pixel, then all pixels between at once, three steps for twice the size.

    x^0 = every 2^S-th pixel,   p(x) = p(x^0) prod_s prod_k p(x^s_k | x^{s-1}, x^s_1 .. x^s_{k-1})          Eq. 1, 2
    x^s_1, x^s_2, x^s_3   the pixels of scale s to the right of known ones, below them, and below to the right  Fig. 2
    p(x^s_k | ...) independent over the pixels of a group, given all that came before
    one player    min  -E log p(x)

A whole pixel is a mixture of discretised logistics over its colours.
"""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions.colours import ColourMixture
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.between import Between, between, places, split
from adversaria.nn.pixelcnn import GatedStacks
from adversaria.nn.sampling import MOST, WIDTH, Outputs, candidates, chosen, law_at, seen_of

REFERENCE = Reference(
    title="Parallel Multiscale Autoregressive Density Estimation",
    authors="Reed, van den Oord, Kalchbrenner, Colmenarejo, Wang, Chen, Belov, de Freitas",
    year=2017, arxiv="1703.03664", venue="ICML",
)  # fmt: skip
PRESETS = {
    "smoke": {"base": 1, "width": 6, "layers": 2, "mixture": 2, "batch": 8, "rounds": 4},
    "small": {"base": 4, "width": 32, "layers": 3, "rounds": 1_000},
}
DEPARTURES = (
    "Mixtures of discretised logistics for whole pixels; the paper has a softmax for each colour.",
    "No groups within a group: three steps for a scale, where the paper's best model on faces takes more.",
    "A residual network for each group and scale, on the groups before it side by side.",
)
CLAIMS = ("Drawing an image takes far fewer steps than it has pixels (Section 3.2).",)


CANDIDATES = 32
"""Completions of an image of which one is taken, by the weights of what is known."""


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

        def outputs(line: Tensor) -> Tensor:
            return P(A.whole(line)).flatten(2).mT

        def log_prob(x: Tensor) -> Tensor:
            total = torch.zeros(len(x), device=x.device)
            for scale in reversed(scales):
                log_p, x = scale.log_prob(x)
                total = total + log_p
            line = A.line(x)
            return total + A.log_prob(line, outputs(line)).sum(1)

        def nll(batch: Batch) -> Terms:
            return {"nll": -log_prob(batch.x).mean()}

        def sample(n: int) -> Tensor:
            noise = A.noise(n, next(P.parameters()))
            x = A.whole(P.draw(noise, sizes[0], A.draw, lambda pixel: pixel))
            for scale in scales:
                x, _ = scale.draw(x)
            return x

        where = torch.cat(places((C, height, width), len(scales)))
        return Game(
            Player("model", (P, *scales), nll, self.adam),
            networks={"model": P, **{f"scale_{s}": scale for s, scale in enumerate(scales, 1)}},
            sample=sample,
            log_prob=log_prob,
            complete=lambda x, known: completed(x, known, A, outputs, scales),
            law=lambda x, at=None: laws(x, where, A, outputs, scales, at),
            order=where[where >= 0].tolist(),
        )


def laws(x: Tensor, where: Tensor, A: ColourMixture, outputs: Outputs, scales: list[Between],
         at: int | None = None) -> Tensor:  # fmt: skip
    """log p of every level of each number in raster order, or of that at a place alone, from what came before it in the
    order of `where`."""
    parts: list[tuple[Tensor, Tensor]] = []
    for scale in reversed(scales):
        parts, x = [*scale.lines(x), *parts], split(x)[0]
    line = A.line(x)
    line, y = (torch.cat(values, 1) for values in zip((line, outputs(line)), *parts, strict=True))
    if at is not None:
        return law_at(A, line, y, int((where == at).nonzero()))
    inside = where >= 0
    return A.law(line, y)[:, inside][:, where[inside].argsort()]


def completed(x: Tensor, known: Tensor, A: ColourMixture, outputs: Outputs, scales: list[Between]) -> Tensor:
    """Images as they are where `known`, drawn scale by scale elsewhere; one of several, by what is known weighs."""
    seen_of(ColourMixture((len(known), *known.shape[1:]), A.mixture), known)
    most = max(1, MOST // (CANDIDATES * max(A.outputs, WIDTH) * known[0].numel()))
    return torch.cat([_completed(block, known, A, outputs, scales) for block in x.split(most)])


def _completed(x: Tensor, known: Tensor, A: ColourMixture, outputs: Outputs, scales: list[Between]) -> Tensor:
    n, levels = len(x), between(x.repeat_interleave(CANDIDATES, 0), known, len(scales))
    given, known = levels[0]
    drawn, log_w = candidates(outputs, A, A.line(given), seen_of(A, known), given, 1)
    x, total = A.whole(drawn[:, 0]), log_w[:, 0]
    for scale, (given, known) in zip(scales, levels[1:], strict=True):
        x, log_p = scale.draw(x, given, known)
        total = total + log_p
    return chosen(x.unflatten(0, (n, CANDIDATES)), total.view(n, CANDIDATES))
