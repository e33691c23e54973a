"""Policy gradients."""

from jaxtyping import Float
from torch import Tensor


def reinforce(log_p: Float[Tensor, "n t"], value: Float[Tensor, "n t"]) -> Float[Tensor, ""]:
    """A surrogate whose gradient is minus the policy gradient: -E sum_t log p(a_t | s_t) Q(s_t, a_t).

    `value` is held fixed. Williams (1992); Sutton et al. (2000), Theorem 1.
    """
    return -(log_p * value.detach()).sum(1).mean()
