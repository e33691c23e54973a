"""Features trained on the user's own data: a small classifier where there are labels, an autoencoder where not.

Trained once for a data set and kept in the cache; refused where they don't rank the control corruptions by strength.
"""

import hashlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from adversaria.data import Dataset, DataSpec
from adversaria.errors import UserError
from adversaria.evaluation.controls import faults
from adversaria.evaluation.features import Features, width_for
from adversaria.game.game import seeded
from adversaria.nn.backbones import decoder

VERSION = 2
"""Raised when networks or training change, so that what is cached is trained anew."""
FACTS = {"quality", "centre", "scale", "hash", "faults"}
"""Kept beside the weights."""
STEPS = 800
BATCH = 128


class Network(nn.Module):
    """A body to features (n, d) and a head: class logits (n, K), or the example again.

    Images go through three 3 x 3 convolutions, the second and third of stride 2 (the first too from 16 pixels on);
    vectors through a hidden layer of 256 units. The features are the linear layer before the head's activation.
    """

    def __init__(self, spec: DataSpec, d: int) -> None:
        super().__init__()
        self.classes = spec.classes
        if spec.kind == "image":
            c, h, w = spec.shape
            strides = (2 if min(h, w) >= 16 else 1, 2, 2)
            body: list[nn.Module] = []
            for width, stride in zip((32, 64, 64), strides, strict=True):
                body += [nn.Conv2d(c, width, 3, stride, 1), nn.ReLU()]
                c, h, w = width, math.ceil(h / stride), math.ceil(w / stride)
            self.body = nn.Sequential(*body, nn.Flatten(), nn.Linear(c * h * w, d))
        else:
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(spec.size, 256), nn.ReLU(), nn.Linear(256, d))
        if self.classes:
            self.head: nn.Module = nn.Sequential(nn.ReLU(), nn.Linear(d, self.classes))
        else:
            self.head = decoder(d, spec.shape, width=32, hidden=256, depth=1, norm="none", bounded=False)

    def loss(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Cross-entropy, or squared error of the reconstruction."""
        answer = self.head(self.body(x))
        return F.cross_entropy(answer, labels) if labels is not None else F.mse_loss(answer, x)


def trained(data: Dataset, cache: Path | None = None) -> Features:
    """The data set's own features, from the cache or trained now (seconds for 8 x 8 digits, a minute for MNIST).

    They are an instrument of measurement, and see all labels however few a game was shown.

    Raises:
        UserError: where the data are points or sequences, or the features don't rank the controls.
    """
    data = data.whole
    spec = data.spec
    if spec.kind not in ("image", "binary"):
        raise UserError(f"features can't be trained on {spec.kind} data; use --features pixels")
    d = width_for(data)
    place = _place(data, d, cache)
    found = _read(place)
    with seeded(0):  # weights are drawn even where those of the cache replace them
        network = Network(spec, d)
        if found is None:
            _fit(network, data)
    if found is None:
        network.eval()
        facts: dict[str, Any] = {"quality": _quality(network, data)} | _standard(network, data)
        content = save(network.state_dict())
        facts["hash"] = hashlib.sha256(content).hexdigest()[:12]  # of the weights: centre and scale follow from them
        features = _features(network, facts)
        facts["faults"] = faults(features, data)
        _write(place, content, facts)
    else:
        content, facts = found
        network.load_state_dict(load(content))
        network.eval()
        features = _features(network, facts)
    if facts["faults"]:
        raise UserError(
            f"features trained on {data.name} don't rank the controls: {'; '.join(facts['faults'])}; "
            "use --features pca or pixels"
        )
    return features


def _features(network: Network, facts: dict[str, Any]) -> Features:
    d = width_of(network)
    if network.classes:
        name, told = "trained classifier", f"accuracy {facts['quality']:.1%} on held-out data"
    else:
        name, told = "trained autoencoder", f"explains {facts['quality']:.1%} of held-out variance"
    logits = (lambda x: network.head(network.body(x))) if network.classes else None
    centre, scale = torch.tensor(facts["centre"]), float(facts["scale"])
    return Features(
        name, facts["hash"], d, lambda x: (network.body(x) - centre) / scale, logits, facts["quality"], told
    )


def width_of(network: Network) -> int:
    """Dimensions of its features."""
    last = network.body[-1]
    assert isinstance(last, nn.Linear)
    return last.out_features


def _fit(network: Network, data: Dataset) -> None:
    """Adam with a rate that falls along a cosine, at most 60 epochs; images are shifted by up to a tenth."""
    batches = data.batches(min(BATCH, data.size("train")), seed=0)
    steps = min(STEPS, 60 * batches.steps_per_epoch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for step in range(steps):
        batch = batches.at(step)
        x = batch.x if batch.y is None else batch.y
        optimizer.zero_grad()
        network.loss(_shifted(x) if network.classes else x, batch.labels).backward()
        optimizer.step()
        schedule.step()


def _shifted(x: Tensor) -> Tensor:
    if x.ndim != 4:
        return x
    reach = max(x.shape[2:]) // 10
    down, right = (int(torch.randint(-reach, reach + 1, ())) for _ in range(2))
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate") if reach else x
    return padded[:, :, reach + down : reach + down + x.shape[2], reach + right : reach + right + x.shape[3]]


@torch.no_grad()
def _standard(network: Network, data: Dataset) -> dict[str, Any]:
    """Mean of the features, and the root of their mean variance: distances in them come out at about 1."""
    batch = data.examples(min(5000, data.size("train")), "train", seed=0)
    found = network.body(batch.x if batch.y is None else batch.y)
    return {"centre": found.mean(0).tolist(), "scale": float(found.var(0).mean().sqrt().clamp_min(1e-12))}


@torch.no_grad()
def _quality(network: Network, data: Dataset) -> float:
    held = data.examples(min(2000, data.size("valid")), "valid", seed=0)
    x = held.x if held.y is None else held.y
    if held.labels is not None:
        return float((network.head(network.body(x)).argmax(1) == held.labels).float().mean())
    return 1 - float((network.head(network.body(x)) - x).square().mean() / x.var(0, correction=0).mean())


def _place(data: Dataset, d: int, cache: Path | None) -> Path:
    folder = cache or Path(os.environ.get("ADVERSARIA_CACHE") or Path.home() / ".cache" / "adversaria")
    key = hashlib.sha256(json.dumps([VERSION, data.fingerprint, d, STEPS, BATCH]).encode()).hexdigest()[:24]
    return folder / f"features-{key}.safetensors"


def _read(place: Path) -> tuple[bytes, dict[str, Any]] | None:
    """What the cache holds; None where it holds nothing whole."""
    try:
        content, facts = place.read_bytes(), json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(facts, dict) and facts.keys() >= FACTS
    return (content, facts) if whole and hashlib.sha256(content).hexdigest()[:12] == facts["hash"] else None


def _write(place: Path, content: bytes, facts: dict[str, Any]) -> None:
    """Keeps them for the next time; a cache that can't be written to is no error."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for path, value in ((place, content), (place.with_suffix(".json"), json.dumps(facts).encode())):
            handle, temporary = tempfile.mkstemp(dir=place.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(value)
            Path(temporary).replace(path)
    except OSError:
        return
