"""A transformer that reads tokens from left to right, and draws them with what it has read kept.

Vaswani et al. (2017), arXiv:1706.03762, with normalisation before each block (Xiong et al. (2020), arXiv:2002.04745).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions.alphabet import quantile
from adversaria.errors import UserError

Kept = tuple[Tensor, Tensor]
"""Keys and values (n, heads, t, width / heads) of the tokens read so far."""


class Block(nn.Module):
    """x + attention(norm(x)), then + MLP(norm(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, kept: Kept | None = None) -> tuple[Tensor, Kept]:
        """(n, t, width) of new tokens, each seeing itself, those before it, and what is kept; and all that is now."""
        n, t, width = x.shape
        q, k, v = self.qkv(self.first(x)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if kept is not None:
            k, v = torch.cat([kept[0], k], 2), torch.cat([kept[1], v], 2)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=kept is None)
        x = x + self.out(seen.transpose(1, 2).reshape(n, t, width))
        return x + self.mlp(self.second(x)), (k, v)


class Transformer(nn.Module):
    """Tokens (n, T) -> logits (n, T, K), those of a token from the tokens before it.

    Args:
        allowed: bool (T, K), which tokens can stand at each place.
        width: of the residual stream.
        layers: blocks.
        heads: of attention.
    """

    allowed: Tensor

    def __init__(self, allowed: Tensor, width: int, layers: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise UserError(f"a width of {width} doesn't divide into {heads} heads of attention; give a multiple")
        length, size = allowed.shape
        self.register_buffer("allowed", allowed)
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.token, self.place = nn.Embedding(size, width), nn.Parameter(0.02 * torch.randn(length, width))
        nn.init.normal_(self.token.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (n, T, K)."""
        before = torch.cat([self.start.expand(len(tokens), 1, -1), self.token(tokens[:, :-1])], 1)
        x = before + self.place
        for block in self.blocks:
            x, _ = block(x)
        return self._logits(x, 0)

    def _logits(self, x: Tensor, first: int) -> Tensor:
        logits: Tensor = self.head(self.norm(x))
        return logits.masked_fill(~self.allowed[first : first + x.shape[1]], -torch.inf)

    @torch.no_grad()
    def draw(self, noise: Tensor, given: Tensor | None = None) -> Tensor:
        """Tokens (n, T) by uniform noise (n, T, 1), of which the first stay as `given` (n, g); one step a token."""
        n, tokens = len(noise), noise.new_zeros(len(noise), 0, dtype=torch.long)
        kept: list[Kept | None] = [None] * len(self.blocks)
        x = self.start.expand(n, 1, -1)
        for t in range(len(self.place)):
            x = x + self.place[t]
            for k, block in enumerate(self.blocks):
                x, kept[k] = block(x, kept[k])
            if given is not None and t < given.shape[1]:
                new = given[:, t]
            else:
                new = quantile(self._logits(x, t)[:, 0], noise[:, t])
            tokens = torch.cat([tokens, new[:, None]], 1)
            x = self.token(new)[:, None]
        return tokens
