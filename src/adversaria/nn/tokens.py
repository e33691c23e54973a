"""Networks over sequences of tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TokenLSTM(nn.Module):
    """An autoregressive LSTM over sequences of a fixed length; it starts from a learned vector.

    Args:
        categories: size of the alphabet.
        embedding: length of a token's vector.
        hidden: units of the LSTM.
    """

    def __init__(self, categories: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(categories + 1, embedding)  # the last row starts a sequence
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, categories)

    def forward(self, tokens: Tensor) -> Tensor:
        """log p(y_t = k | y_1 .. y_{t-1}), (n, T, categories), of sequences (n, T)."""
        start = tokens.new_full((len(tokens), 1), self.head.out_features)
        inputs = torch.cat([start, tokens[:, :-1]], 1)
        return F.log_softmax(self.head(self.lstm(self.embedding(inputs))[0]), -1)

    def log_prob(self, tokens: Tensor) -> Tensor:
        """log p(y_t | y_1 .. y_{t-1}) of the tokens themselves, (n, T)."""
        return self(tokens).gather(2, tokens[..., None])[..., 0]

    @torch.no_grad()
    def complete(self, prefix: Tensor, length: int) -> Tensor:
        """Sequences (n, length) that begin with `prefix` (n, t) and go on as the network draws."""
        start = prefix.new_full((len(prefix), 1), self.head.out_features)
        out, state = self.lstm(self.embedding(torch.cat([start, prefix], 1)))
        tokens = [prefix]
        for t in range(prefix.shape[1], length):
            token = torch.multinomial(self.head(out[:, -1]).softmax(-1), 1)
            tokens.append(token)
            if t + 1 < length:
                out, state = self.lstm(self.embedding(token), state)
        return torch.cat(tokens, 1)

    def sample(self, n: int, length: int) -> Tensor:
        """Sequences (n, length)."""
        empty = torch.empty(n, 0, dtype=torch.long, device=self.head.weight.device)
        return self.complete(empty, length)


class TokenCritic(nn.Module):
    """Sequences (n, T) -> logits (n,): convolutions of several widths, the maximum over time, a highway layer.

    Kim (2014), arXiv:1408.5882; as the discriminator of Yu et al. (2017), arXiv:1609.05473, Section 3.3.
    """

    def __init__(self, categories: int, embedding: int, filters: int, widths: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(categories, embedding)
        self.filters = nn.ModuleList(nn.Conv1d(embedding, filters, width) for width in widths)
        size = filters * len(widths)
        self.highway, self.dropout, self.head = (
            nn.Linear(size, 2 * size),
            nn.Dropout(dropout),
            nn.Linear(size, 1),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (n,)."""
        x = self.embedding(tokens).transpose(1, 2)
        h = torch.cat([F.relu(filters(x)).amax(2) for filters in self.filters], 1)
        gate, value = self.highway(h).chunk(2, 1)
        gate = torch.sigmoid(gate)
        return self.head(self.dropout(gate * F.relu(value) + (1 - gate) * h))[:, 0]
