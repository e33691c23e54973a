"""What every metric asks of the features it is given."""

import torch
from torch import Tensor

from adversaria.errors import UserError


def checked(least: int = 2, **sets: Tensor) -> tuple[Tensor, ...]:
    """The sets, each (n, d) with the same d, at least `least` rows and finite numbers, as they came.

    Raises:
        UserError: naming the set and what is wrong with it.
    """
    widths = set()
    for name, x in sets.items():
        if not isinstance(x, Tensor):
            raise UserError(f"{name} is a {type(x).__name__}; give a torch tensor: torch.as_tensor({name})")
        if x.ndim != 2:
            raise UserError(f"{name} has shape {tuple(x.shape)}; expected (n, d), a row for each example")
        if not x.is_floating_point():
            raise UserError(f"{name} has dtype {x.dtype}; features are floating point: use .float()")
        if len(x) < least:
            raise UserError(f"{name} has {len(x)} rows; at least {least}")
        bad = int((~torch.isfinite(x).all(1)).sum())
        if bad:
            raise UserError(f"{bad} of {len(x)} rows of {name} are not finite; a distance to them means nothing")
        widths.add(x.shape[1])
    if len(widths) > 1 or 0 in widths:
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in sets.items())
        raise UserError(f"sets have different numbers of features ({shapes}); take both from the same features")
    return tuple(sets.values())


def facts(**sets: Tensor) -> dict[str, int | str]:
    """The part of a protocol that the tensors themselves tell: n of each, d, dtype."""
    first = next(iter(sets.values()))
    counts: dict[str, int | str] = {f"n_{name}": len(x) for name, x in sets.items()}
    return counts | {"d": first.shape[1], "dtype": str(first.dtype).removeprefix("torch.")}
