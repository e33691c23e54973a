"""Which digits a stack shows: one classifier of grey images, asked for each colour apart, and its own errors."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from adversaria.data import Dataset
from adversaria.data.stacked import CHANNELS, Stacks, base_of
from adversaria.errors import UserError
from adversaria.game.game import seeded
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.modes import class_coverage

_BATCH = 64
_STEPS = (600, 2500)
_EPOCHS = 25
_PIECE = 2048


@dataclass(frozen=True)
class StackClassifier:
    """Tells the class of a stack from those of its three channels."""

    network: nn.Module
    """Class logits (n, K) of grey images (n, 1, H, W) in game form."""
    classes: int
    """K, of one channel."""
    shape: tuple[int, ...]
    """Of a stack: (3, H, W)."""
    accuracy: Estimate
    """Of one channel, on held-out grey images; `details` has that of whole stacks, its cube."""
    confusion: Int[Tensor, "k k"]
    """Held-out grey images by true class (row) and told class (column)."""
    law: Float[Tensor, " k"]
    """Shares of the K^3 classes among stacks of training images."""

    def label_stacks(self, images: Float[Tensor, "n 3 h w"]) -> Int[Tensor, " n"]:
        """K^2 r + K g + b of each stack, with r, g, b the classes told for its channels; images in game form.

        Raises:
            UserError: for images of another shape, or that are not finite.
        """
        if tuple(images.shape[1:]) != self.shape:
            raise UserError(f"images have shape {tuple(images.shape)}; expected (n, {', '.join(map(str, self.shape))})")
        bad = int((~torch.isfinite(images).flatten(1).all(1)).sum())
        if bad:
            raise UserError(f"{bad} of {len(images)} images are not finite; they show no digit")
        place = self.classes ** torch.arange(CHANNELS - 1, -1, -1)
        labels = [_told(self.network, piece.flatten(0, 1)[:, None]).view(-1, CHANNELS) @ place
                  for piece in images.split(_PIECE)]  # fmt: skip
        return torch.cat(labels) if labels else torch.empty(0, dtype=torch.long)


def stack_classifier(data: Dataset, *, seed: int = 0) -> StackClassifier:
    """A small convolutional network that was trained on the grey images of the train split, and what it gets wrong.

    Seconds for 8 x 8 digits, a minute or two for MNIST; the same seed gives the same network.

    Args:
        data: stacks, or the grey images they are made of.
        seed: of the network's first weights, its batches, shifts and dropout.

    Raises:
        UserError: where the data are not labelled grey images.
    """
    base = base_of(data) if isinstance(data.store, Stacks) else data
    if base.spec.kind != "image" or base.spec.shape[0] != 1 or base.labels is None or base.spec.classes < 2:
        raise UserError(f"{base.name} holds no labelled grey images of two classes or more; stacks are made of these")
    side, k = min(base.spec.shape[1:]), base.spec.classes
    with seeded(seed):
        network = _network(base.spec.shape, k).float()
        _fit(network, base, seed, shift=1 if side < 16 else 2)
    network.eval()
    confusion = torch.zeros(k, k, dtype=torch.long)
    for split in ("valid", "test"):
        held = base.examples(base.size(split), split)
        assert held.labels is not None
        told = torch.cat([_told(network, piece) for piece in held.x.split(_PIECE)])
        confusion += torch.bincount(held.labels * k + told, minlength=k * k).view(k, k)
    share = torch.bincount(torch.from_numpy(base.labels[base.splits["train"]]), minlength=k).double()
    share /= share.sum()
    law = (share[:, None, None] * share[:, None] * share).flatten()
    return StackClassifier(network, k, (CHANNELS, *base.spec.shape[1:]), _accuracy(confusion, base, seed), confusion,
                           law)  # fmt: skip


def stack_coverage(
    *, images: Float[Tensor, "n 3 h w"], classifier: StackClassifier, seed: int = 0
) -> dict[str, Estimate]:  # fmt: skip
    """Modes, KL and JSD from equal shares of generated stacks, as `metrics.class_coverage` has them.

    The classifier's held-out confusion goes into the nulls; a class that no held-out image shows counts as told right.
    """
    counts = classifier.confusion.double()
    unseen = counts.sum(1) == 0
    counts[unseen, unseen] = 1.0
    found = class_coverage(labels=classifier.label_stacks(images), classes=classifier.classes**CHANNELS,
                           confusion=counts, channels=CHANNELS, seed=seed)  # fmt: skip
    told = {key: classifier.accuracy.protocol[key] for key in ("data", "classifier", "classifier_seed")}
    return {name: estimate.under(**told) for name, estimate in found.items()}


def _told(network: nn.Module, x: Tensor) -> Tensor:
    """The class told for each grey image, on the CPU."""
    weight = next(network.parameters())
    with torch.no_grad():
        return network(x.to(weight)).argmax(1).cpu()


def _network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Three 3 x 3 convolutions with batch norm; the first takes every second pixel from 16 pixels on."""
    _, height, width = shape
    strides = (2 if min(height, width) >= 16 else 1, 1, 2)
    layers: list[nn.Module] = []
    before = 1
    for channels, stride in zip((32, 32, 64), strides, strict=True):
        layers += [nn.Conv2d(before, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        before, height, width = channels, math.ceil(height / stride), math.ceil(width / stride)
    pooled = min(height, 7), min(width, 7)
    if pooled != (height, width):
        layers.append(nn.AdaptiveAvgPool2d(pooled))
    size = before * math.prod(pooled)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(size, 128), nn.ReLU(),
                         nn.Linear(128, classes))  # fmt: skip


def _fit(network: nn.Module, base: Dataset, seed: int, shift: int) -> None:
    """AdamW with one cycle of the learning rate; every second batch is shifted by up to `shift` pixels."""
    batches = base.batches(min(_BATCH, base.size("train")), seed=seed)
    steps = min(max(_STEPS[0], _EPOCHS * batches.steps_per_epoch), _STEPS[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    network.train()
    with torch.enable_grad():
        for step in range(steps):
            batch = batches.at(step)
            up, left = torch.randint(0, 2 * shift + 1, (2,)).tolist() if step % 2 else (shift, shift)
            _, _, height, width = batch.x.shape
            x = F.pad(batch.x, (shift,) * 4, value=-1.0)[:, :, up : up + height, left : left + width]
            assert batch.labels is not None
            optimizer.zero_grad()
            F.cross_entropy(network(x), batch.labels).backward()
            optimizer.step()
            schedule.step()


def _accuracy(confusion: Tensor, base: Dataset, seed: int) -> Estimate:
    n, right = int(confusion.sum()), int(confusion.diagonal().sum())
    a = right / n
    limits = stats.binomtest(right, n).proportion_ci(0.95, "exact")
    protocol = {
        "data": base.name, "data_fingerprint": base.fingerprint[:12], "split": "valid and test",
        "classifier": "3 convolutions", "classifier_seed": seed,
    }  # fmt: skip
    return Estimate(
        "accuracy of the channel classifier", a, math.sqrt(a * (1 - a) / n), n, "share", protocol, False,
        (float(limits.low), float(limits.high)), details={"stack_accuracy": a**CHANNELS, "right": right},
    )  # fmt: skip
