"""What discriminators, critics and encoders are: a body that finds features, and a head that reads numbers off them."""

from torch import Tensor, nn


class Reader(nn.Module):
    """Examples (n, *shape) -> features (n, k) -> `outputs` numbers (n, outputs), or (n,) for one.

    Args:
        body: examples -> features.
        width: k.
        outputs: numbers for an example.
    """

    def __init__(self, body: nn.Module, width: int, outputs: int = 1) -> None:
        super().__init__()
        self.body, self.width = body, width
        self.head: nn.Module = nn.Linear(width, outputs)

    def features(self, x: Tensor) -> Tensor:
        """What the head sees of examples, (n, k)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n,) or (n, outputs)."""
        return column(self.head(self.features(x)))


def column(y: Tensor) -> Tensor:
    """(n, 1) as (n,); anything else as it is."""
    return y.squeeze(1) if y.shape[1] == 1 else y
