"""Nearest codes, and gradients past them."""

from jaxtyping import Float, Int
from torch import Tensor


def nearest(z: Float[Tensor, "n d"], codes: Float[Tensor, "k d"]) -> Int[Tensor, " n"]:
    """Index of the code nearest to each row of `z` in Euclidean distance; the first where several are.

    van den Oord et al. (2017), arXiv:1711.00937, Eq. 1.
    """
    return (codes.square().sum(1) - 2 * z @ codes.T).argmin(1)


def straight_through(value: Tensor, through: Tensor) -> Tensor:
    """`value` in the forward pass, to the last bit; the gradient goes to `through` as if it had been returned.

    Bengio et al. (2013), arXiv:1308.3432, Section 4.

    >>> import torch
    >>> x = torch.tensor(0.4, requires_grad=True); y = straight_through(x.round(), x)
    >>> y.item(), torch.autograd.grad(3 * y, x)[0].item()
    (0.0, 3.0)
    """
    return value.detach() + (through - through.detach())
