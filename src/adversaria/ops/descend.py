"""Gradient descent that can be differentiated through."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


def descend(
    network: nn.Module, loss: Callable[[Mapping[str, Tensor]], Tensor], steps: int, lr: float
) -> dict[str, Tensor]:
    """The network's parameters after `steps` of gradient descent on `loss`, as functions of whatever `loss` depends on.

        theta_0 = theta,   theta_{k+1} = theta_k - lr * grad loss(theta_k)

    The network is left as it is, and parameters that are frozen stay. Use the result with `torch.func.functional_call`.

    Args:
        network: whose parameters to start from.
        loss: from parameters by name to a scalar.
        steps: how many; 0 returns the parameters themselves.
        lr: step size.

    Metz et al. (2017), arXiv:1611.02163, Eq. 7.

    >>> net = torch.nn.Linear(1, 1, bias=False); _ = torch.nn.init.ones_(net.weight)
    >>> a = torch.tensor(3.0, requires_grad=True)
    >>> after = descend(net, lambda p: (a * p["weight"]).sum(), steps=2, lr=0.1)["weight"]
    >>> round(after.item(), 4), torch.autograd.grad(after.sum(), a)[0].item()
    (0.4, -0.20000000298023224)
    """
    theta: dict[str, Tensor] = dict(network.named_parameters())
    free = [name for name, value in theta.items() if value.requires_grad]
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(theta), [theta[k] for k in free], create_graph=True, allow_unused=True)
        moved = {k: theta[k] - lr * g for k, g in zip(free, gradients, strict=True) if g is not None}
        theta = theta | moved
    return theta
