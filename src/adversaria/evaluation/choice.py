"""Which features to measure in: those asked for, or the best that the data allow."""

from dataclasses import replace
from pathlib import Path

from adversaria.data import Dataset
from adversaria.errors import UserError, unknown
from adversaria.evaluation.features import Features, module, pca, pixels
from adversaria.evaluation.trained import trained

NAMES = ("pixels", "pca", "trained")


def features_for(data: Dataset, wanted: str | None = None) -> Features:
    """Features by name or from a user's file; without a wish, trained ones for images and raw numbers for the rest.

    Images whose trained features are refused are measured in principal components, and the note says why.

    Raises:
        UserError: for an unknown name, or features that can't be had.
    """
    if wanted is None:
        return _best(data)
    if wanted == "pixels":
        return pixels(data.spec)
    if wanted == "pca":
        return pca(data)
    if wanted == "trained":
        return trained(data)
    if wanted.endswith(".py") or "/" in wanted or Path(wanted).exists():
        return module(Path(wanted), data.spec)
    raise unknown("features", wanted, NAMES, "give pixels, pca, trained, or a Python file")


def _best(data: Dataset) -> Features:
    if data.spec.kind == "binary":
        return pca(data)
    if data.spec.kind != "image":
        return pixels(data.spec)
    try:
        return trained(data)
    except UserError as error:
        found = pca(data)
        return replace(found, note=f"{found.note}; {error}")
