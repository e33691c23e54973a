"""The examples in the docstrings are true."""

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import adversaria

PACKAGES = ("ops", "distributions", "nn", "objectives", "game", "metrics", "evaluation", "diagnose", "api")
ROOT = Path(adversaria.__file__).parent
MODULES = ["adversaria.errors"] + [
    f"adversaria.{package}.{found.name}"
    for package in PACKAGES
    for found in pkgutil.iter_modules([str(ROOT / package)])
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    module = importlib.import_module(name)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for key, value in vars(module).items():
        if getattr(value, "__module__", None) == name and (inspect.isroutine(value) or inspect.isclass(value)):
            # Checked functions are wrapped; the finder looks for the function's own globals.
            for test in finder.find(inspect.unwrap(value), key, module, globs=dict(vars(module))):
                runner.run(test)
    assert runner.failures == 0
    written = Path(module.__file__).read_text().count("    >>> ")
    assert runner.tries == written, "an example that was not run"


def test_there_are_examples():
    assert sum(path.read_text().count(">>> ") for part in PACKAGES for path in (ROOT / part).glob("*.py")) >= 10
