"""Token sequences whose law is known: a random LSTM, as in SeqGAN."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from torch import Tensor

from adversaria.data.splits import generator
from adversaria.errors import UserError

_SEED = 1609_05473
_SLICE = 256


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps this small lose by a second thread, and on a busy machine a hundredfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Oracle:
    """An LSTM with weights from N(0, 1) that writes sequences of `length` tokens below `categories`.

    p(x) = prod_t softmax(C h_t)[x_t],  h_t = LSTM(embedding of x_{t-1}, h_{t-1}),  with x_0 = 0.

    Yu, Zhang, Wang and Yu, "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient",
    arXiv:1609.05473, section 5.1; there 5,000 categories, here 32.
    """

    def __init__(self, categories: int = 32, length: int = 20, hidden: int = 32, seed: int = _SEED):
        self.categories, self.length, self.hidden = categories, length, hidden
        rng = generator(seed)

        def normal(*shape: int) -> Tensor:
            return torch.from_numpy(rng.standard_normal(shape))

        embedding, into = normal(categories, hidden), normal(hidden, 4 * hidden)
        self._input = embedding @ into + normal(4 * hidden)
        self._recurrent = normal(hidden, 4 * hidden)
        self._output, self._bias = normal(hidden, categories), normal(categories)

    def _step(self, token: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        i, f, o, g = torch.addmm(self._input[token], h, self._recurrent).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return torch.addmm(self._bias, h, self._output).log_softmax(1), (h, c)

    def _start(self, n: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        zeros = torch.zeros(n, self.hidden, dtype=torch.float64)
        return torch.zeros(n, dtype=torch.long), (zeros, zeros)

    def log_prob(self, tokens: Tensor) -> Tensor:
        """Log-probability, in nats, of `tokens` (n, T), T any length; float64 (n,).

        Raises UserError where these are no tokens of this oracle.
        """
        if tokens.ndim != 2 or tokens.is_floating_point() or not _within(tokens, self.categories):
            raise UserError(
                f"tokens have shape {tuple(tokens.shape)} and type {tokens.dtype}; "
                f"expected whole numbers (n, T) below {self.categories}"
            )
        parts = tokens.cpu().long().chunk(-(-len(tokens) // _SLICE) or 1)
        with _one_thread():
            return torch.cat([self._log_prob(part) for part in parts])

    def _log_prob(self, tokens: Tensor) -> Tensor:
        token, state = self._start(len(tokens))
        total = torch.zeros(len(tokens), dtype=torch.float64)
        for t in range(tokens.shape[1]):
            logits, state = self._step(token, state)
            token = tokens[:, t]
            total += logits.gather(1, token[:, None])[:, 0]
        return total

    def sample(self, n: int, seed: int) -> Tensor:
        """`n` fresh sequences, long (n, length)."""
        uniform = torch.from_numpy(generator(seed).random((n, self.length, 1)))
        with _one_thread():
            return torch.cat([self._sample(part) for part in uniform.chunk(-(-n // _SLICE) or 1)])

    def _sample(self, uniform: Tensor) -> Tensor:
        token, state = self._start(len(uniform))
        written = []
        for t in range(self.length):
            logits, state = self._step(token, state)
            token = (logits.exp().cumsum(1) < uniform[:, t]).sum(1).clamp_(max=self.categories - 1)
            written.append(token)
        return torch.stack(written, 1)


def _within(tokens: Tensor, categories: int) -> bool:
    return tokens.numel() == 0 or bool((tokens.min() >= 0) & (tokens.max() < categories))


@cache
def oracle() -> Oracle:
    """The oracle that the data `oracle-tokens` come from."""
    return Oracle()


def tokens() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """12,000 sequences of the oracle, int64 (n, 20), split in 10,000 train, 1,000 valid and 1,000 test."""
    drawn = oracle().sample(12_000, seed=_SEED + 1).numpy()
    return drawn, {
        "train": np.arange(10_000),
        "valid": np.arange(10_000, 11_000),
        "test": np.arange(11_000, 12_000),
    }
