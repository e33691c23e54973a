"""BiGAN: a reconstruction keeps the class, and the encoder's features tell classes apart with few labels.

**Class** (Section 4.2, Figure 2). The share of test examples with a reconstruction G(E(x)) that a classifier, trained
on the data, tells as the class in the label. Threshold 0.8; a tenth by chance for ten classes, and the share of the
examples themselves is kept beside it.

**Features** (Section 4). A linear classifier of 100 labelled training examples, as many of each class, on the encoder's
last hidden layer, against one on pixels. Both inputs are centred and brought to unit variance as a whole, the weight of
the penalty is chosen by cross-validation among those 100, and the accuracy on test examples is the mean over
`DRAWS` draws of them. An encoder before training is kept beside it: convolutions alone help a little.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import told
from adversaria.data import Batch, Dataset
from adversaria.game import Game

KEEPS = "A reconstruction G(E(x)) keeps the class of x (Section 4.2, Figure 2)."
TELLS = "The encoder's features tell classes apart better than pixels do, where labels are few (Section 4)."
SMALL: dict[str, Any] = {"latent": 16, "width": 16, "hidden": 128, "rounds": 2_000, "discriminator": {"lr": 5e-4},
                         "generators": {"lr": 1e-3}}  # fmt: skip
"""For minutes."""
LABELS, DRAWS, JUDGED = 100, 10, 2_000


def probe(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], classes: int) -> float:
    """Mean accuracy of a linear classifier of LABELS examples (n, k) with labels (n,), over DRAWS draws of them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    (x, labels), (held, truth) = ((a.flatten(1).double().numpy(), b.numpy()) for a, b in (train, test))
    centre, scale = x.mean(0), x.var(0).mean() ** 0.5
    x, held = (x - centre) / scale, (held - centre) / scale
    found = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        chosen = [rng.choice(np.flatnonzero(labels == k), LABELS // classes, replace=False) for k in range(classes)]
        index = np.concatenate(chosen)
        weights = {"C": np.logspace(-4, 1, 6)}
        fit = GridSearchCV(LogisticRegression(max_iter=200), weights, cv=5).fit(x[index], labels[index])
        found.append(fit.score(held, truth))
    return float(np.mean(found))


def features(game: Game, x: Tensor) -> Tensor:
    """The last hidden layer of the encoder (n, k), at rest."""
    with game.at_rest():
        E: Any = game.networks["encoder"]
        return torch.cat([E.features(part.to(game.device)).cpu() for part in x.split(500)])


def read(look: Callable[[Tensor], Tensor], data: Dataset) -> float:
    """`probe` on what `look` finds in examples (n, *shape): (n, k)."""
    held, train = judged(data), data.examples(min(data.size("train"), 5 * JUDGED), "train")
    assert held.labels is not None and train.labels is not None
    return probe((look(train.x), train.labels), (look(held.x), held.labels), data.spec.classes)


def judged(data: Dataset) -> Batch:
    """The test examples both claims are about."""
    return data.examples(min(data.size("test"), JUDGED), "test")


def reconstructed(game: Game, x: Tensor) -> Tensor:
    """G(E(x)) of examples (n, *shape)."""
    return torch.cat([game.reconstruct(part.to(game.device), seed=0).cpu() for part in x.split(500)])


def measure(trial: Trial) -> dict[str, Measured]:
    """Both claims, of one training."""
    recipe = make("bigan", None, **(SMALL if trial.quick else {"rounds": 4_000}))
    game, data = trial.play(recipe), trial.data
    held = judged(data)
    assert held.labels is not None
    made = reconstructed(game, held.x)
    kept, real = (float((told(x, data) == held.labels).float().mean()) for x in (made, held.x))
    error = float((held.x - made).square().mean() / (held.x - held.x.mean(0)).square().mean())
    torch.manual_seed(trial.seed)
    before = recipe.build(data.spec)
    trained, pixels, untrained = (
        read(look, data) for look in (lambda x: features(game, x), lambda x: x, lambda x: features(before, x))
    )
    return {
        KEPT: Measured(kept, facts={"of the examples": real, "squared error over the data's variance": error}),
        TOLD: Measured(trained, pixels, {"untrained encoder": untrained}),
    }


KEPT = "share of reconstructions told as the class in the label"
TOLD = "accuracy with 100 labels on features, less on pixels"

CHECKS = (
    Check(claim=KEEPS, quantity=KEPT, measure=measure, threshold=0.8, holds="above", own="labelled images", seeds=6,
          quick_seeds=6),
    Check(claim=TELLS, quantity=TOLD, measure=measure, threshold=0.0, holds="above", own="labelled images", seeds=6,
          quick_seeds=6),
)  # fmt: skip
