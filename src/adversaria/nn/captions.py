"""A transformer over the words of a caption and then a grid of codes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.transformer import Transformer


def vocabulary(class_names: Sequence[str], classes: int) -> Tensor:
    """Words of the classes' names as numbers from 1 on, long (classes, most words), with 0 behind a shorter name."""
    names = [name.split() or [name] for name in (class_names or [str(k) for k in range(classes)])]
    known = {word: k for k, word in enumerate(sorted({word for name in names for word in name}), 1)}
    longest = max(map(len, names))
    return torch.tensor([[known[word] for word in name] + [0] * (longest - len(name)) for name in names])


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

    def nll(self, codes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """-log p of the words, and of codes (n, H, W) given them, in nats an example."""
        tokens = self.size + codes.flatten(1)
        if labels is not None:
            tokens = torch.cat([self.words[labels], tokens], 1)
        each = F.cross_entropy(self.net(tokens).transpose(1, 2), tokens, reduction="none")
        return each[:, : self.text].sum(1).mean(), each[:, self.text :].sum(1).mean()

    @torch.no_grad()
    def sample(self, given: int | Tensor) -> Tensor:
        """Codes (n, H, W), of so many or of the classes given."""
        n, text = (given, None) if isinstance(given, int) else (len(given), self.words[given])
        noise = torch.rand(n, len(self.net.place), 1, device=self.net.place.device)
        return (self.net.draw(noise, text)[:, self.text :] - self.size).view(n, *self.grid)
