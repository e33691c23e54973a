"""Features: the space in which samples and data are compared.

A number measured in them is called by their name and carries their hash: two networks of the same shape are two
different rulers. Inception, DINOv2 and the like come in as a user's own file (`module`), with weights the user brings.
"""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from adversaria.data import Dataset, DataSpec
from adversaria.errors import UserError
from adversaria.game.game import seeded

ONE_HOT, PROJECTED = 1024, 256
"""Numbers in one-hot tokens up to which they are features themselves, and directions they are projected on beyond."""
FITTED = 20_000
"""Training examples that features are fitted to, at most."""


@dataclass(frozen=True, eq=False)
class Features:
    """A map from examples in game form (n, *shape) to features (n, d) float32."""

    name: str
    hash: str
    """12 hex digits of what decides the map."""
    d: int
    function: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor] | None = None
    """Class logits (n, K), where the features are a classifier's."""
    accuracy: float | None = None
    """Of the classifier on held-out data; for an autoencoder the share of variance it explains there."""
    note: str = ""

    @torch.no_grad()
    def __call__(self, x: Tensor, piece: int = 500) -> Float[Tensor, "n d"]:
        """Features of examples, a piece at a time, on the CPU.

        Raises:
            UserError: where the map's answer is not (n, d).
        """
        found = [self.function(part).detach().float().cpu() for part in x.split(piece)]
        answer = torch.cat(found)
        if answer.shape != (len(x), self.d):
            raise UserError(
                f"features '{self.name}' of {len(x)} examples have shape {tuple(answer.shape)}; "
                f"expected ({len(x)}, {self.d}): a row for each example"
            )
        return answer

    @property
    def facts(self) -> dict[str, Any]:
        """Their part of a protocol."""
        return {"features": self.name, "features_hash": self.hash}


def width_for(data: Dataset) -> int:
    """Dimensions for which the data's smaller held-out split has at least five examples each: 8 to 64."""
    held = min(data.size("valid"), data.size("test"))
    return next((d for d in (64, 32, 16) if held >= 5 * d), 8)


def pixels(spec: DataSpec) -> Features:
    """The numbers of an example themselves; tokens one-hot."""
    if spec.kind == "sequence":
        return _tokens(spec)
    name = {"image": "pixels", "points": "points", "binary": "bits"}[spec.kind]
    return Features(name, _hash(b"pixels", spec), spec.size, lambda x: x.flatten(1))


def _tokens(spec: DataSpec) -> Features:
    d = spec.size * spec.categories
    if d <= ONE_HOT:
        state = _hash(b"one-hot", spec)
        return Features("one-hot tokens", state, d, lambda x: F.one_hot(x, spec.categories).flatten(1))
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(spec.categories, PROJECTED, generator=generator) / PROJECTED**0.5
    signs = 2.0 * torch.randint(2, (spec.size, PROJECTED), generator=generator) - 1
    return Features("projected tokens", _hash(b"projected", spec), PROJECTED, lambda x: (table[x] * signs).sum(1),
                    note=f"{d:,} one-hot numbers on {PROJECTED} random directions")  # fmt: skip


def pca(data: Dataset, d: int | None = None) -> Features:
    """The leading principal components of the training examples' pixels, without whitening.

    Raises:
        UserError: where there are more components asked for than numbers in an example.
    """
    raw = pixels(data.spec)
    d = min(width_for(data), raw.d) if d is None else d
    if not 1 <= d <= raw.d:
        raise UserError(f"{d} principal components of examples with {raw.d} numbers; ask for 1 to {raw.d}")
    x = raw(_training(data)).double()
    mean = x.mean(0)
    covariance = ((x - mean).T @ (x - mean) / max(len(x) - 1, 1)).numpy()
    values, vectors = scipy.linalg.eigh(covariance, subset_by_index=(raw.d - d, raw.d - 1))
    axes = torch.from_numpy(vectors).flip(1)
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # an axis has no sign of its own
    share = float(values.sum() / max(covariance.trace(), 1e-300))
    state = hashlib.sha256(np.round(torch.cat([mean[:, None], axes], 1).numpy(), 6).tobytes()).hexdigest()[:12]

    def project(x: Tensor) -> Tensor:
        return (raw.function(x).double().cpu() - mean) @ axes

    return Features(f"PCA-{d}", state, d, project, accuracy=share, note=f"{share:.1%} of the training variance")


def module(path: Path, spec: DataSpec) -> Features:
    """A user's own features: a Python file with a function `features`.

    `features(x)` takes examples in game form (n, *shape), images as float (n, C, H, W) in [-1, 1], and returns (n, d).
    The file is run: use files you trust. Their hash is that of the file, and of the file its `WEIGHTS` names.

    Raises:
        UserError: where there is no such file, or it fails or has no such function.
    """
    if not path.is_file():
        raise UserError(f"no features '{path}'; give pixels, pca, trained, or a Python file with features(x)")
    found = importlib.util.spec_from_file_location(f"adversaria_features_{path.stem}", path)
    if found is None or found.loader is None:
        raise UserError(f"features '{path}' are no Python file; write a .py file with a function features(x) -> (n, d)")
    code = importlib.util.module_from_spec(found)
    try:
        x = torch.zeros(2, *spec.shape, dtype=torch.long if spec.kind == "sequence" else torch.float32)
        with torch.no_grad(), seeded(0):  # a network of random weights is the same one each time
            found.loader.exec_module(code)
            function = code.features
            answer = function(x)
    except Exception as error:
        said = " ".join(str(error).split())
        raise UserError(f"features of {path} fail: {type(error).__name__}: {said}; mend the file") from error
    if not isinstance(answer, Tensor):
        raise UserError(f"features of {path} are of type {type(answer).__name__}; return a tensor (n, d)")
    shape = tuple(answer.shape)
    if len(shape) != 2 or shape[0] != 2:
        raise UserError(f"features of {path} have shape {shape} for 2 examples; expected (2, d): flatten them")
    state = hashlib.sha256(path.read_bytes())
    weights = getattr(code, "WEIGHTS", None)
    if weights is not None:
        state.update(_content(path, Path(weights)))
    return Features(str(getattr(code, "NAME", path.stem)), state.hexdigest()[:12], shape[1], function,
                    note=f"from {path.name}")  # fmt: skip


def _content(path: Path, weights: Path) -> bytes:
    place = weights if weights.is_absolute() else path.parent / weights
    if not place.is_file():
        raise UserError(f"features of {path} name the weights '{weights}', and there is no such file; mend WEIGHTS")
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _training(data: Dataset, most: int = FITTED) -> Tensor:
    batch = data.examples(min(most, data.size("train")), "train", seed=0)
    return batch.x if batch.y is None else batch.y


def _hash(what: bytes, spec: DataSpec) -> str:
    return hashlib.sha256(what + repr((spec.kind, spec.shape, spec.categories)).encode()).hexdigest()[:12]
