"""Gates in the place of activations."""

import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """tanh(a) * sigmoid(b) for the halves a, b of dimension 1.

    Van den Oord et al. (2016), arXiv:1606.05328, Eq. 2. Everywhere in both players it is one of the architectures that
    are hard to train: Gulrajani et al. (2017), arXiv:1704.00028, Figure 2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2 c, ...) -> (n, c, ...)."""
        a, b = x.chunk(2, dim=1)
        return torch.tanh(a) * torch.sigmoid(b)
