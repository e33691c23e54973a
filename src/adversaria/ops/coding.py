"""Arithmetic coding: symbols to bytes, and back, at the cost of their probabilities.

Witten, Neal, Cleary (1987), "Arithmetic coding for data compression", Communications of the ACM 30(6).
"""

from collections.abc import Sequence

import numpy as np

BITS = 48
TOTAL = 1 << 24
"""What the counts of a symbol's law add up to."""
_TOP, _HALF, _QUARTER = (1 << BITS) - 1, 1 << (BITS - 1), 1 << (BITS - 2)


def counts(log_p: np.ndarray) -> np.ndarray:
    """Cumulative counts (n, L + 1), int64 from 0 to `TOTAL`, that follow laws by their log probabilities (n, L).

    Every symbol has one count at least, so that all can be coded; what rounding leaves goes to the likeliest.
    """
    p = np.exp(np.asarray(log_p, np.float64))
    p /= p.sum(1, keepdims=True)
    whole = np.floor(p * (TOTAL - p.shape[1])).astype(np.int64) + 1
    whole[np.arange(len(p)), p.argmax(1)] += TOTAL - whole.sum(1)
    return np.concatenate([np.zeros((len(p), 1), np.int64), whole.cumsum(1)], 1)


class Encoder:
    """Takes symbols one after the other; `finish` gives the bytes."""

    def __init__(self) -> None:
        self.low, self.high, self.pending = 0, _TOP, 0
        self.bits: list[int] = []

    def put(self, cumulative: Sequence[int] | np.ndarray, symbol: int) -> None:
        """Codes a symbol by its law's cumulative counts (L + 1)."""
        span = self.high - self.low + 1
        self.high = self.low + span * int(cumulative[symbol + 1]) // TOTAL - 1
        self.low += span * int(cumulative[symbol]) // TOTAL
        while True:
            if self.high < _HALF:
                self._emit(0)
            elif self.low >= _HALF:
                self._emit(1)
                self.low, self.high = self.low - _HALF, self.high - _HALF
            elif self.low >= _QUARTER and self.high < 3 * _QUARTER:
                self.pending += 1
                self.low, self.high = self.low - _QUARTER, self.high - _QUARTER
            else:
                return
            self.low, self.high = 2 * self.low, 2 * self.high + 1

    def _emit(self, bit: int) -> None:
        self.bits += [bit] + [1 - bit] * self.pending
        self.pending = 0

    def finish(self) -> bytes:
        """All that was coded."""
        self.pending += 1
        self._emit(int(self.low >= _QUARTER))
        return np.packbits(np.array(self.bits, np.uint8)).tobytes()


class Decoder:
    """Gives the symbols back, by the same laws in the same order."""

    def __init__(self, code: bytes) -> None:
        self.bits = np.unpackbits(np.frombuffer(code, np.uint8)).tolist()
        self.place, self.low, self.high, self.value = 0, 0, _TOP, 0
        for _ in range(BITS):
            self.value = 2 * self.value + self._next()

    def _next(self) -> int:
        self.place += 1
        bit: int = self.bits[self.place - 1] if self.place <= len(self.bits) else 0
        return bit

    def take(self, cumulative: np.ndarray) -> int:
        """The next symbol, whose law's cumulative counts (L + 1) these are."""
        span = self.high - self.low + 1
        target = ((self.value - self.low + 1) * TOTAL - 1) // span
        symbol = int(np.searchsorted(cumulative, target, side="right")) - 1
        self.high = self.low + span * int(cumulative[symbol + 1]) // TOTAL - 1
        self.low += span * int(cumulative[symbol]) // TOTAL
        while True:
            if self.low >= _HALF:
                shift = _HALF
            elif self.high < _HALF:
                shift = 0
            elif self.low >= _QUARTER and self.high < 3 * _QUARTER:
                shift = _QUARTER
            else:
                return symbol
            self.low, self.high = 2 * (self.low - shift), 2 * (self.high - shift) + 1
            self.value = 2 * (self.value - shift) + self._next()
