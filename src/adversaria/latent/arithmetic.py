"""Sums and differences of averaged codes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, at_least


def combination(
    plus: Sequence[Float[Tensor, "_ k"]], minus: Sequence[Float[Tensor, "_ k"]] = ()
) -> Float[Tensor, " k"]:
    """The sum of the means of the codes in `plus` less those in `minus`: y = mean a - mean b + mean c.

    Single codes don't add up like concepts, averages of three do: Radford et al. (2016), arXiv:1511.06434,
    Section 6.3.2. Means of m independent codes of one prior, three in number, sum to a code of the length of a draw for
    m = 3 and to a shorter, more typical one for more.

    Args:
        plus: sets of codes (m, k), at least one.
        minus: sets of codes (m, k).

    Raises:
        UserError: where there is nothing to add, or a set is empty or of another width.
    """
    sets = [*plus, *minus]
    if not plus:
        raise UserError("no codes to add; give one set or more in plus")
    if any(z.ndim != 2 or len(z) == 0 or z.shape[1] != sets[0].shape[1] for z in sets):
        raise UserError(f"sets of codes have shapes {[tuple(z.shape) for z in sets]}; each is (m, k), m at least 1")
    return torch.stack([z.mean(0) for z in plus]).sum(0) - sum(z.mean(0) for z in minus)


def around(
    code: Float[Tensor, " k"], n: int = 8, *, noise: float = 0.25, seed: int = 0
) -> Float[Tensor, "_ k"]:  # fmt: skip
    """The code itself and `n` others, each of its coordinates moved by a number uniform on (-noise, noise).

    Radford et al. (2016), arXiv:1511.06434, Figure 7: 8 others, 0.25 for codes uniform on (-1, 1).
    """
    at_least("number of others", n, 0)
    at_least("noise", noise, 0)
    generator = torch.Generator().manual_seed(seed)
    moved = noise * (2 * torch.rand(n, len(code), generator=generator, dtype=torch.float64) - 1)
    return torch.cat([code[None], code + moved.to(code)])
