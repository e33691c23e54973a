"""The Python surface: recipe, train, load_run, compare, and the Run they are about."""

from adversaria.api.compare import compare
from adversaria.api.run import Run
from adversaria.api.start import begin, load_run, recipe, train

__all__ = ["Run", "begin", "compare", "load_run", "recipe", "train"]
