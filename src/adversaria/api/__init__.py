"""The Python surface: recipe, train, load_run, compare, and the Run they are about."""

from collections.abc import Sequence
from typing import Any

from adversaria.api.run import Run
from adversaria.api.start import begin, load_run, recipe, train


def compare(runs: Sequence[Run], **options: Any) -> dict[str, Any]:
    """Measures runs of the same data under one protocol and compares every pair; options as `api.comparing.compare`."""
    from adversaria.api.comparing import compare as compare_all

    return compare_all(runs, **options)


__all__ = ["Run", "begin", "compare", "load_run", "recipe", "train"]
