"""Adversaria: learn generative models by likelihood, by variational inference and by adversarial play.

>>> import adversaria as adv
>>> run = adv.train(adv.recipe("dcgan"), data="digits", rounds=2_000, out="runs/a")     # doctest: +SKIP
>>> run.sample(64).shape                                                               # doctest: +SKIP
(64, 8, 8, 1)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from adversaria._version import __version__

if TYPE_CHECKING:
    from adversaria.api import Run as Run
    from adversaria.api import compare as compare
    from adversaria.api import load_run as load_run
    from adversaria.api import recipe as recipe
    from adversaria.api import train as train
    from adversaria.data import DataSpec as DataSpec
    from adversaria.data import load as load
    from adversaria.game import Game as Game
    from adversaria.game import Player as Player
    from adversaria.game import Stage as Stage
    from adversaria.game import play as play

_HOMES = {
    "recipe": "api", "train": "api", "load_run": "api", "compare": "api", "Run": "api", "load": "data",
    "DataSpec": "data", "Game": "game", "Player": "game", "Stage": "game", "play": "game",
}  # fmt: skip

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    """Imports the public names, and torch with them, when they are first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'adversaria' has no attribute '{name}'")
    return getattr(import_module(f"adversaria.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
