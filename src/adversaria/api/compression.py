"""Examples as short a file as a model's likelihood promises, and back without a bit changed.

Numbers are coded one after the other, each by the model's law given those before it. Encoder and decoder ask the model
the same questions in the same batches, so that they round alike; a file is read by the same weights on a machine that
computes alike, and a checksum tells when it isn't.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adversaria.api.run import Run
from adversaria.errors import UserError
from adversaria.ops.coding import Decoder, Encoder, counts
from adversaria.ordered import alphabet

MAGIC = b"ADVC"
VERSION = 2
_HEADER = struct.Struct("<4sBI8sI")
"""Magic, version, examples, the first bytes of the weights' SHA-256, CRC-32 of the levels."""
BLOCK = 100
"""Examples that the model is asked about at once."""


@dataclass(frozen=True)
class Compressed:
    """A file, and what it should and does take."""

    code: bytes
    n: int
    numbers: int
    """In all examples."""
    ideal: float
    """Bits by the model's likelihood."""

    @property
    def payload(self) -> int:
        """Bits of the file without its header."""
        return 8 * (len(self.code) - _HEADER.size)


def compress(run: Run, x: Tensor) -> Compressed:
    """Codes discrete examples in game form (n, *shape).

    Raises:
        UserError: where the model has no law of one number after the other, or is given labels.
    """
    _lawful(run)
    numbers = alphabet(run.data.spec)
    levels = numbers.to_levels(x)
    encoder, ideal = Encoder(), 0.0
    for block in levels.split(BLOCK):
        for i, cumulative in _laws(run, block):
            symbols = block[:, i].tolist()
            for row, symbol in zip(cumulative, symbols, strict=True):
                encoder.put(row, symbol)
        ideal -= float(run.game.log_prob(numbers.from_levels(block).to(run.game.device)).double().sum()) / np.log(2)
    checksum = zlib.crc32(levels.numpy().astype("<i4").tobytes())
    header = _HEADER.pack(MAGIC, VERSION, len(levels), _weights(run), checksum)
    return Compressed(header + encoder.finish(), len(levels), levels.numel(), ideal)


def decompress(run: Run, code: bytes) -> Tensor:
    """The examples (n, *shape) in game form, as they went in.

    Raises:
        UserError: for a file that isn't one of these, or of other weights, or that this machine reads otherwise.
    """
    _lawful(run)
    numbers = alphabet(run.data.spec)
    if len(code) < _HEADER.size or code[:4] != MAGIC:
        raise UserError("this is no file that 'adversaria compress' wrote")
    _, version, n, weights, checksum = _HEADER.unpack(code[: _HEADER.size])
    if version != VERSION:
        raise UserError(f"the file is of format {version}, and this version reads {VERSION}")
    if weights != _weights(run):
        raise UserError("the file was compressed by other weights; give the run that wrote it, at the same round")
    decoder, parts = Decoder(code[_HEADER.size :]), []
    for start in range(0, n, BLOCK):
        block = torch.zeros(min(BLOCK, n - start), numbers.size, dtype=torch.long)
        for i, cumulative in _laws(run, block):
            block[:, i] = torch.tensor([decoder.take(row) for row in cumulative])
        parts.append(block)
    levels = torch.cat(parts)
    if zlib.crc32(levels.numpy().astype("<i4").tobytes()) != checksum:
        raise UserError("the file doesn't come back as it was: it is damaged, or this machine rounds otherwise "
                        "(another processor, number of threads or torch); read it where it was written")  # fmt: skip
    return numbers.from_levels(levels)


def _laws(run: Run, block: Tensor) -> Iterator[tuple[int, np.ndarray]]:
    """For each number, in the model's order, its place and cumulative counts (n, levels + 1), from the numbers of
    `block` before it alone."""
    numbers, game = alphabet(run.data.spec), run.game
    before = torch.zeros_like(block)
    for i in game.order or range(block.shape[1]):
        log_p = game.law(numbers.from_levels(before).to(game.device), at=i)
        yield i, counts(log_p.double().cpu().numpy())
        before[:, i] = block[:, i]


def _lawful(run: Run) -> None:
    if run.game.condition is not None:
        raise UserError(f"this model needs the {run.game.condition} of an example to code it by, and a file would have "
                        "to hold that too; compress by a model trained without --conditional")  # fmt: skip
    if not run.game.can("law"):
        raise UserError("this model has no exact law of one number after the other to code by; those have that are "
                        "autoregressive in one order, such as pixelcnn, nade, and made or deep-nade with one: a mean "
                        "over several orders has conditionals that can't be had")  # fmt: skip


def _weights(run: Run) -> bytes:
    state = hashlib.sha256()
    with run.game.at_rest():
        for name, value in sorted(run.game.networks.state_dict().items()):
            state.update(name.encode())
            state.update(value.detach().cpu().contiguous().numpy().tobytes())
    return state.digest()[:8]
