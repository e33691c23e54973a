"""Mistakes a user can make and mend: one line with the value, the rule and the remedy; the shell exits with code 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A request that cannot be met as it was asked; the message says what, why and what to do."""


def at_least(what: str, value: float, least: float) -> None:
    """Checks a number a user gave.

    Raises:
        UserError: where `value` is below `least`.
    """
    if value < least:
        raise UserError(f"{what} is {value}; give {least} or more")


def unknown(what: str, name: str, known: Iterable[str], remedy: str = "") -> UserError:
    """The error for a name that nothing answers to, with the nearest known one.

    >>> str(unknown("recipe", "wgan-pg", ["wgan-gp", "vae"]))
    "unknown recipe 'wgan-pg'; did you mean 'wgan-gp'?"
    """
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else remedy or f"known: {', '.join(sorted(known))}"
    return UserError(f"unknown {what} '{name}'; {hint}")
