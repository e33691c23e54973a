"""Drawing from models that go number by number, as functions of noise drawn beforehand.

A model is a function `outputs` of numbers (n, d) that gives (n, d, k), those for number i from the numbers before it.
All samplers give the same numbers from the same noise.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

Outputs = Callable[[Tensor], Tensor]


class Numbers(Protocol):
    """What is drawn one after the other: `Alphabet`'s numbers, or `ColourMixture`'s pixels."""

    size: int

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
    settled when a pass changes none. Arguments as in `one_by_one`, whatever the order; where there is none, as a model
    looks ahead, nothing need settle, and the last pass stands.

    Song et al. (2021), arXiv:2002.03629, Algorithm 1 (Jacobi iteration).
    """
    line, passes, settled = alphabet.blank(len(u), u), 0, False
    while not settled and passes <= alphabet.size:
        new = alphabet.draw(outputs(line), u)
        if given is not None and known is not None:
            new = torch.where(known, given, new)
        settled, line, passes = torch.equal(new, line), new, passes + 1
    return line, passes


Candidates = tuple[Tensor, Tensor]
"""Completions (n, k, d, ...) of n lines of numbers, and the logarithms of their weights (n, k)."""


def seen_of(numbers: Numbers, known: Tensor) -> Tensor:
    """Which numbers (d,) are known by a mask (*shape) of an example; a pixel is where all its colours are."""
    return numbers.line(known[None].float())[0].reshape(numbers.size, -1).bool().all(1)


@torch.no_grad()
def candidates(outputs: Outputs, numbers: Numbers, line: Tensor, seen: Tensor, like: Tensor, k: int) -> Candidates:
    """`k` completions of each line (n, d), that stay where `seen` (d,) and are drawn elsewhere in the model's order.

    What comes after a hidden number doesn't sway it as it is drawn. Weights make up for that: the probability of all
    that is seen, given what was drawn before it.
    """
    given = line.repeat_interleave(k, 0)
    kept = seen.view(-1, *(1 for _ in line.shape[2:]))
    drawn, _ = fixed_point(outputs, numbers, numbers.noise(len(given), like), given, kept)
    log_w = (numbers.log_prob(drawn, outputs(drawn)).double() * seen).sum(1)
    return drawn.unflatten(0, (len(line), k)), log_w.view(len(line), k)


def chosen(drawn: Tensor, log_w: Tensor) -> Tensor:
    """One of the candidates (n, k, ...) of each line, by their weights."""
    pick = log_w.softmax(1).multinomial(1)[:, 0]
    return drawn[torch.arange(len(drawn), device=drawn.device), pick]


def complete(outputs: Outputs, numbers: Numbers, x: Tensor, known: Tensor, like: Tensor, k: int = 32) -> Tensor:
    """Examples (n, *shape) as `x` is where `known` (*shape) is true, drawn by the model given that elsewhere: exactly
    where all that is hidden comes last in its order, else by the best of `k` candidates (importance resampling)."""
    seen = seen_of(numbers, known)
    hidden_last = not bool((seen.int().diff() > 0).any())
    drawn, log_w = candidates(outputs, numbers, numbers.line(x), seen, like, 1 if hidden_last else k)
    return numbers.whole(chosen(drawn, log_w))


def law_of(outputs: Callable[..., Tensor], numbers: Numbers) -> Callable[..., Tensor]:
    """From examples, and labels where `outputs` takes them, to log p of every level of each number given those before
    it."""

    def law(x: Tensor, *given: Tensor) -> Tensor:
        line = numbers.line(x)
        return numbers.law(line, outputs(line, *given))

    return law
