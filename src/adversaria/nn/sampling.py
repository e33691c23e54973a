"""Drawing from models that go number by number, as functions of noise drawn beforehand.

A model is a function `outputs` of numbers (n, d) that gives (n, d, k), those for number i from the numbers before it.
All samplers give the same numbers from the same noise.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError

Outputs = Callable[..., Tensor]
MOST, WIDTH = 2**22, 64
"""Outputs of the model at once, about, as examples are completed, and those that a number counts for at least, as there
are hidden units where outputs are few: bounds memory."""


class Numbers(Protocol):
    """What is drawn one after the other: `Alphabet`'s numbers, or `ColourMixture`'s pixels."""

    size: int
    outputs: int
    """That the model gives for each."""

    def line(self, x: Tensor) -> Tensor:
        """Examples (n, *shape) -> (n, d, ...)."""
        ...

    def whole(self, line: Tensor) -> Tensor:
        """The inverse of `line`."""
        ...

    def noise(self, n: int, like: Tensor) -> Tensor:
        """Uniform in [0, 1), (n, d, grains)."""
        ...

    def log_prob(self, line: Tensor, y: Tensor) -> Tensor:
        """log p of each number (n, d), given outputs (n, d, k)."""
        ...

    def law(self, line: Tensor, y: Tensor) -> Tensor:
        """log p of every level of each number, one colour after the other, (n, numbers, levels)."""
        ...

    def blank(self, n: int, like: Tensor) -> Tensor:
        """None drawn yet, (n, d, ...)."""
        ...

    def draw(self, y: Tensor, u: Tensor) -> Tensor:
        """What outputs (..., k) and noise (..., grains) make."""
        ...


@torch.no_grad()
def one_by_one(outputs: Outputs, alphabet: Numbers, u: Float[Tensor, "n d grains"], given: Tensor | None = None,
               known: Tensor | None = None) -> Tensor:  # fmt: skip
    """Numbers (n, d) drawn in d passes, the naive way.

    Args:
        outputs: the model.
        alphabet: of its numbers.
        u: its noise.
        given: numbers (n, d) to complete, of which those are kept
        known: where this bool (d,) or (n, d) is true. What comes later doesn't sway what comes before.
    """
    line = alphabet.blank(len(u), u)
    for i in range(alphabet.size):
        line[:, i] = alphabet.draw(outputs(line)[:, i], u[:, i])
        if given is not None and known is not None:
            line[:, i] = torch.where(known[..., i], given[:, i], line[:, i])
    return line


@torch.no_grad()
def fixed_point(outputs: Outputs, alphabet: Numbers, u: Float[Tensor, "n d grains"], given: Tensor | None = None,
                known: Tensor | None = None) -> tuple[Tensor, int]:  # fmt: skip
    """Numbers (n, d) that the model draws from themselves with this noise, and the passes that took, d + 1 at most.

    Each pass draws all numbers at once from those of the pass before, and settles at least one more of them; they have
    settled when a pass changes none. Where there is no order, as a model looks ahead, nothing need settle, and the last
    pass stands.

    Song et al. (2021), arXiv:2002.03629, Algorithm 1 (Jacobi iteration).

    Args:
        outputs: the model, in whatever order.
        alphabet: of its numbers.
        u: its noise.
        given: numbers (n, d) to complete, of which those are kept
        known: where this bool (d,) is true.
    """
    line, passes, settled = alphabet.blank(len(u), u), 0, False
    hidden: Tensor | slice = slice(None)
    if given is not None and known is not None:
        line, hidden = given.clone(), (~known).nonzero()[:, 0]
        line[:, hidden] = 0
    while not settled and passes <= alphabet.size:
        new = alphabet.draw(outputs(line)[:, hidden], u[:, hidden])
        settled, passes = torch.equal(new, line[:, hidden]), passes + 1
        line[:, hidden] = new
    return line, passes


Candidates = tuple[Tensor, Tensor]
"""Completions (n, k, d, ...) of n lines of numbers, and the logarithms of their weights (n, k)."""


def seen_of(numbers: Numbers, known: Tensor) -> Tensor:
    """Which numbers (d,) are known by a mask (*shape) of an example.

    Raises:
        UserError: where the numbers are whole pixels and the mask splits the colours of one.
    """
    colours = numbers.line(known[None].float())[0].reshape(numbers.size, -1).bool()
    seen = colours.all(1)
    if split := int((seen != colours.any(1)).sum()):
        raise UserError(f"known splits the colours of {split} of {len(seen)} pixels, and this model draws whole "
                        "pixels; hide all colours of a pixel or none")  # fmt: skip
    return seen


@torch.no_grad()
def candidates(outputs: Outputs, numbers: Numbers, line: Tensor, seen: Tensor, like: Tensor, k: int,
               *labels: Tensor) -> Candidates:  # fmt: skip
    """`k` completions of each line (n, d), that stay where `seen` (d,) and are drawn elsewhere in the model's order,
    given labels (n,) where `outputs` takes them.

    What comes after a hidden number doesn't sway it as it is drawn. Weights make up for that: the probability of all
    that is seen, given what was drawn before it.
    """
    rows = [values.repeat_interleave(k, 0) for values in (line, *labels)]
    noise, most = numbers.noise(len(rows[0]), like), max(1, MOST // (numbers.size * max(numbers.outputs, WIDTH)))
    parts = []
    for u, given, *own in zip(noise.split(most), *(values.split(most) for values in rows), strict=True):
        drawn, _ = fixed_point(lambda x, own=own: outputs(x, *own), numbers, u, given, seen)
        log_p = numbers.log_prob(drawn, outputs(drawn, *own)).double()
        parts.append((drawn, (log_p * seen).sum(1)))
    drawn, log_w = (torch.cat(values) for values in zip(*parts, strict=True))
    return drawn.unflatten(0, (len(line), k)), log_w.view(len(line), k)


def chosen(drawn: Tensor, log_w: Tensor) -> Tensor:
    """One of the candidates (n, k, ...) of each line, by their weights."""
    pick = log_w.softmax(1).multinomial(1)[:, 0]
    return drawn[torch.arange(len(drawn), device=drawn.device), pick]


def complete(outputs: Outputs, numbers: Numbers, x: Tensor, known: Tensor, like: Tensor, *labels: Tensor,
             k: int = 32) -> Tensor:  # fmt: skip
    """Examples (n, *shape) as `x` is where `known` (*shape) is true, drawn by the model given that elsewhere: exactly
    where all that is hidden comes last in its order, else by the best of `k` candidates (importance resampling).

    Raises:
        UserError: see `seen_of`.
    """
    seen = seen_of(numbers, known)
    hidden_last = not bool((seen.int().diff() > 0).any())
    drawn, log_w = candidates(outputs, numbers, numbers.line(x), seen, like, 1 if hidden_last else k, *labels)
    return numbers.whole(chosen(drawn, log_w))


def law_at(numbers: Numbers, line: Tensor, y: Tensor, at: int | None = None) -> Tensor:
    """log p of every level of each number, (n, numbers, levels), or of the number at a place, (n, levels), given lines
    (n, d, ...) and outputs (n, d, k)."""
    if at is None:
        return numbers.law(line, y)
    place, colour = divmod(at, line[0, 0].numel())
    return numbers.law(line[:, place : place + 1], y[:, place : place + 1])[:, colour]


def law_of(outputs: Callable[..., Tensor], numbers: Numbers) -> Callable[..., Tensor]:
    """From examples, and labels where `outputs` takes them, to log p of every level of each number given those before
    it, or of that at a place alone."""

    def law(x: Tensor, *given: Tensor, at: int | None = None) -> Tensor:
        line = numbers.line(x)
        return law_at(numbers, line, outputs(line, *given), at)

    return law
