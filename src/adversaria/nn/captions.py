"""A transformer over the words of a caption and then a grid of codes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions.precision import full
from adversaria.nn.transformer import Transformer


def vocabulary(class_names: Sequence[str], classes: int) -> Tensor:
    """Words of the classes' names as numbers from 1 on, long (classes, most words), with 0 behind a shorter name."""
    names = [name.split() or [name] for name in (class_names or [str(k) for k in range(classes)])]
    known = {word: k for k, word in enumerate(sorted({word for name in names for word in name}), 1)}
    longest = max(map(len, names))
    return torch.tensor([[known[word] for word in name] + [0] * (longest - len(name)) for name in names])


def law_of_grid(logits: Tensor) -> Tensor:
    """log p of every category at each cell (n, H W, categories), from logits (n, categories, H, W)."""
    return full(logits).flatten(2).log_softmax(1).transpose(1, 2)


class CaptionedGrid(nn.Module):
    """p(words) p(grid | words), one transformer over both; without words, p(grid).

    Args:
        categories: of a cell.
        grid: H, W.
        words: of each class, from `vocabulary`; None for no text.
        width: of the transformer.
        layers: its blocks.
        heads: of its attention.
    """

    words: Tensor

    def __init__(
        self, categories: int, grid: tuple[int, int], words: Tensor | None, width: int, layers: int, heads: int
    ) -> None:
        super().__init__()
        self.grid = grid
        self.register_buffer("words", torch.zeros(0, 0, dtype=torch.long) if words is None else words)
        self.text, self.size = self.words.shape[1], int(self.words.max()) + 1 if words is not None else 0
        allowed = torch.zeros(self.text + grid[0] * grid[1], self.size + categories, dtype=torch.bool)
        allowed[: self.text, : self.size] = True
        allowed[self.text :, self.size :] = True
        self.net = Transformer(allowed, width, layers, heads)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (n, categories, H, W) of each cell of grids (n, H, W) given the words and the cells before it."""
        logits = self.net(self._tokens(codes, labels))[:, self.text :, self.size :]
        return logits.transpose(1, 2).unflatten(2, self.grid)

    def nll(self, codes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """-log p of the words, and of codes (n, H, W) given them, in nats an example."""
        tokens = self._tokens(codes, labels)
        each = F.cross_entropy(self.net(tokens).transpose(1, 2), tokens, reduction="none")
        return each[:, : self.text].sum(1).mean(), each[:, self.text :].sum(1).mean()

    def _tokens(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        tokens = self.size + codes.flatten(1)
        return tokens if labels is None else torch.cat([self.words[labels], tokens], 1)

    @torch.no_grad()
    def sample(self, n: int, shape: tuple[int, int], labels: Tensor | None = None) -> Tensor:
        """Grids (n, H, W) drawn cell by cell."""
        noise = torch.rand(n, len(self.net.place), 1, device=self.net.place.device)
        drawn = self.net.draw(noise, None if labels is None else self.words[labels])
        return (drawn[:, self.text :] - self.size).view(n, *shape)
