"""What a discriminator may see of the other examples, and how steep its layers may be.

`with_minibatch` and `with_spectral` change a network that is made already; where both are wanted, in this order.
"""

from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from adversaria.errors import UserError
from adversaria.nn.conditional import ConditionalNorm
from adversaria.nn.reader import Reader

M = TypeVar("M", bound=nn.Module)
Minibatch = Literal["discrimination", "deviation"]
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear,
          nn.Embedding)  # fmt: skip
"""What spectral normalisation applies to."""


class MinibatchDiscrimination(nn.Module):
    """Features, and how close each example is to the others in `kernels` learned projections.

        M_i = f_i T,   o_ib = sum over j != i of exp(-||M_ib - M_jb||_1)

    The sum leaves out the example itself, which would add 1 to each.

    Salimans et al. (2016), arXiv:1606.03498, Section 3.2.

    Args:
        width: k, numbers in the features of an example.
        kernels: B, numbers that are appended.
        dim: C, numbers compared for each.
    """

    def __init__(self, width: int, kernels: int = 100, dim: int = 5) -> None:
        super().__init__()
        self.extra = kernels
        self.T = nn.Parameter(torch.empty(width, kernels, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Projections from N(0, 1 / k)."""
        nn.init.normal_(self.T, 0.0, len(self.T) ** -0.5)

    def forward(self, f: Tensor) -> Tensor:
        """(n, k) -> (n, k + kernels)."""
        M = (f @ self.T.flatten(1)).unflatten(1, self.T.shape[1:])
        o = torch.exp(-(M[:, None] - M).abs().sum(3)).sum(1) - 1
        return torch.cat([f, o], 1)


class MinibatchDeviation(nn.Module):
    """Features, and one number of the whole group: the mean over features of their standard deviation in it.

    Karras et al. (2018), arXiv:1710.10196, Section 3.

    Args:
        group: examples that are looked at together, 0 for all of them; groups are made even where they don't come out.
    """

    extra = 1

    def __init__(self, group: int = 0) -> None:
        super().__init__()
        self.group = group

    def forward(self, f: Tensor) -> Tensor:
        """(n, k) -> (n, k + 1)."""
        groups = max(1, len(f) // self.group) if self.group else 1
        return torch.cat([torch.cat([g, deviation(g).expand(len(g), 1)], 1) for g in f.tensor_split(groups)])


def deviation(f: Tensor) -> Tensor:
    """mean_k sqrt(var_k + 1e-8) of features (n, k), the variance over n examples; shape ()."""
    return (f.var(0, correction=0) + 1e-8).sqrt().mean()


def with_minibatch(reader: Reader, kind: Minibatch, *, kernels: int = 100, dim: int = 5, group: int = 0) -> Reader:
    """The same reader, whose head now sees the features with a minibatch layer's numbers appended.

    The head keeps its weights for the features; those for the new numbers are drawn with the same spread.

    Args:
        reader: with a linear head; it is changed.
        kind: of the layer.
        kernels: of "discrimination".
        dim: of "discrimination".
        group: of "deviation".

    Raises:
        UserError: where the head isn't linear.
    """
    old = reader.head
    if type(old) is not nn.Linear:
        raise UserError(f"a minibatch layer goes before a linear head, not {type(old).__name__}; add it once, first")
    discriminates = kind == "discrimination"
    layer = MinibatchDiscrimination(reader.width, kernels, dim) if discriminates else MinibatchDeviation(group)
    head = nn.Linear(reader.width + layer.extra, old.out_features)
    with torch.no_grad():
        nn.init.normal_(head.weight, 0.0, float(old.weight.square().mean().sqrt()))
        head.weight[:, : reader.width] = old.weight
        head.bias.copy_(old.bias)
    reader.head = nn.Sequential(layer, head).to(old.weight)
    return reader


def with_spectral(module: M) -> M:
    """The same module, each of whose layers has its weight divided by the weight's largest singular value.

    Layers are convolutions, a kernel being the matrix (outputs, inputs x height x width), linear ones and embeddings
    other than a ConditionalNorm's. The singular vectors move by one power iteration at each pass in training mode; they
    are buffers, and kept. A weight that begins at 0 has no direction that could be kept, and is drawn anew.

    Miyato et al. (2018), arXiv:1802.05957, Eq. 8 and Algorithm 1.
    """
    scales = {id(e) for m in module.modules() if isinstance(m, ConditionalNorm) for e in m.children()}
    for layer in list(module.modules()):
        if isinstance(layer, LAYERS) and id(layer) not in scales and not is_parametrized(layer, "weight"):
            if not layer.weight.any():
                layer.reset_parameters()
            spectral_norm(layer)
    return module
