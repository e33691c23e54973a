"""Labels for networks: in a generator's normalisation, beside an input, or at a discriminator's end."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.reader import Reader, column


class Conditional(nn.Module):
    """A module that is called with (x, labels); `labels` are None in a network without classes."""


class Chain(nn.Sequential, Conditional):
    """Layers one after another; those that are Conditional see the labels too."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the last layer gives."""
        layers: Iterator[nn.Module] = iter(self)
        for layer in layers:
            x = layer(x, labels) if isinstance(layer, Conditional) else layer(x)
        return x


class ConditionalNorm(Conditional):
    """scale[c] * plain(x) + offset[c] in each channel, for examples of class c. It starts as `plain`.

    With batch norm as `plain` (without scale and offset of its own) this is conditional batch normalisation, de Vries
    et al. (2017), arXiv:1707.00683; with instance norm it is Dumoulin et al. (2017), arXiv:1610.07629, Eq. 5.

    Args:
        plain: the normalisation, (n, channels, ...) -> the same shape.
        channels: of x.
        classes: number of labels.
    """

    def __init__(self, plain: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.plain = plain
        self.scale, self.offset = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scales of 1 and offsets of 0."""
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.offset.weight)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The same shape as `x`.

        Raises:
            ValueError: without labels.
        """
        if labels is None:
            raise ValueError("a conditional network was called without labels; call it with (x, labels)")
        wide = (len(x), -1, *[1] * (x.ndim - 2))
        return self.scale(labels).view(wide) * self.plain(x) + self.offset(labels).view(wide)


class OneHot(nn.Module):
    """Labels (n,) -> their indicators (n, classes)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, labels: Tensor) -> Tensor:
        """(n, classes) of 0 and 1."""
        return F.one_hot(labels, self.classes)


class Concatenation(Conditional):
    """A network that also sees an embedding of the label: numbers beside a vector, constant planes beside an image.

    Mirza and Osindero (2014), arXiv:1411.1784, Section 3.2.

    Args:
        network: for inputs with `size` numbers or planes more along dimension 1.
        classes: number of labels.
        size: numbers in a label's embedding.
        one_hot: the embedding isn't learned, it is the label's indicator; `size` is then `classes`.
    """

    def __init__(self, network: nn.Module, classes: int, size: int, one_hot: bool = False) -> None:
        super().__init__()
        self.network = network
        self.embedding: nn.Module = OneHot(classes) if one_hot else nn.Embedding(classes, size)

    def joined(self, x: Tensor, labels: Tensor) -> Tensor:
        """x (n, k, ...) and the embedding spread over the other dimensions, (n, k + size, ...)."""
        c = self.embedding(labels).to(x.dtype)
        return torch.cat([x, c.view(*c.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])], 1)

    def features(self, x: Tensor, labels: Tensor) -> Tensor:
        """Features (n, k) of the pair, where the network is a Reader."""
        assert isinstance(self.network, Reader)
        return self.network.features(self.joined(x, labels))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """The network's output."""
        return self.network(self.joined(x, labels))


class Projection(Conditional):
    """Scores (n,) of pairs (x, label): psi(phi(x)) + <embedding[label], phi(x)>, with the reader's phi and psi.

    Miyato and Koyama (2018), arXiv:1802.05637, Eq. 3.
    """

    def __init__(self, reader: Reader, classes: int) -> None:
        super().__init__()
        self.reader, self.embedding = reader, nn.Embedding(classes, reader.width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Embeddings from N(0, 1 / k); the reader's weights stay."""
        nn.init.normal_(self.embedding.weight, 0.0, self.reader.width**-0.5)

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """phi(x), (n, k), whatever the label."""
        return self.reader.features(x)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Scores (n,)."""
        phi = self.reader.features(x)
        return column(self.reader.head(phi)) + (self.embedding(labels) * phi).sum(1)


class AuxiliaryClassifier(nn.Module):
    """One body, two heads: is x real, and which class is it?

    Odena et al. (2017), arXiv:1610.09585, Section 3: D(x) = (P(S | x), P(C | x)).
    """

    def __init__(self, reader: Reader, classes: int) -> None:
        super().__init__()
        self.reader, self.classifier = reader, nn.Linear(reader.width, classes)

    def features(self, x: Tensor) -> Tensor:
        """What both heads see, (n, k)."""
        return self.reader.features(x)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Source logits (n,) and class logits (n, classes), from one pass through the body."""
        phi = self.reader.features(x)
        return column(self.reader.head(phi)), self.classifier(phi)

    def classify(self, x: Tensor) -> Tensor:
        """Class logits (n, classes)."""
        return self.classifier(self.reader.features(x))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Source logits (n,), whatever the label."""
        return self.reader(x)
