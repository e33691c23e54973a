"""Examples with a part hidden, and what a model draws there."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from adversaria.api.drawings import Shown
from adversaria.api.run import Run
from adversaria.data import DataSpec
from adversaria.data.splits import generator
from adversaria.errors import UserError, at_least
from adversaria.runs.sampling import labels_for

Hide = Literal["bottom", "top", "left", "right", "middle", "scattered"]


def known_of(spec: DataSpec, hide: Hide, share: float, seed: int = 0) -> Tensor:
    """What of an example is known, bool (*shape), where about `share` of it is hidden.

    Of what isn't an image the bottom is what comes last, and the top what comes first.

    Raises:
        UserError: for a share that leaves nothing known or nothing hidden, or a side that such data don't have.
    """
    if not 0 < share < 1:
        raise UserError(f"--share is {share:g}; the part that is hidden is more than 0 and less than 1")
    image = spec.kind == "image"
    if not image and hide in ("left", "right"):
        raise UserError(f"{spec.kind} data have no {hide}; hide bottom, top, middle or scattered")
    *_, height, width = spec.shape if image else (1, spec.size, 1)
    hidden = torch.zeros(height, width, dtype=torch.bool)
    if hide == "scattered":
        count = min(max(round(share * hidden.numel()), 1), hidden.numel() - 1)
        chosen = generator(seed, 23).permutation(hidden.numel())[:count]
        hidden.view(-1)[torch.from_numpy(np.sort(chosen))] = True
    elif hide == "middle":
        rows, columns = (_part(height, share**0.5), _part(width, share**0.5)) if image else (_part(height, share), 1)
        top, left = (height - rows) // 2, (width - columns) // 2
        hidden[top : top + rows, left : left + columns] = True
    else:
        length = _part(height if hide in ("bottom", "top") else width, share)
        place = {"bottom": (slice(-length, None),), "top": (slice(length),), "left": (slice(None), slice(length)),
                 "right": (slice(None), slice(-length, None))}[hide]  # fmt: skip
        hidden[place] = True
    known = ~hidden
    return known.expand(spec.shape) if image else known.view(spec.shape)


def _part(length: int, share: float) -> int:
    if length < 2:
        raise UserError("an example one number long has no part to hide")
    return min(max(round(share * length), 1), length - 1)


def complete(
    run: Run, hide: Hide = "bottom", share: float = 0.5, n: int = 6, draws: int = 6, *,
    of: Literal["test", "valid", "train"] = "test", label: int | str | None = None, seed: int = 0,
) -> Shown:  # fmt: skip
    """Examples, what is left of them, and completions, a row for each example.

    Args:
        run: trained.
        hide: which part.
        share: how much of it.
        n: examples.
        draws: completions of each.
        of: the split they come from.
        label: what a model that takes labels is given, by number or name; the examples' own without.
        seed: of examples and completions.

    Raises:
        UserError: where the model can't complete, or takes no label, or there is no such one.
    """
    at_least("number of examples", n, 1)
    at_least("number of completions", draws, 1)
    game, spec = run.game, run.data.spec
    if not game.can("complete"):
        raise UserError(
            "this model cannot complete examples; those can that draw number by number: 'adversaria list' has them "
            "under autoregressive"
        )
    known = known_of(spec, hide, share, seed).to(game.device)
    x, given = _examples(run, n, of, seed, label)
    labels = None if given is None else given.repeat_interleave(draws)
    drawn = game.complete(x.repeat_interleave(draws, 0), known, labels, seed=seed).unflatten(0, (n, draws))
    left = torch.where(known, x, torch.zeros_like(x))
    rows = list(torch.cat([x[:, None], left[:, None], drawn], 1).cpu())
    said = [f"{n} {of} examples, what is known of them ({hide} hidden, {float((~known).float().mean()):.0%}), and "
            f"{draws} completion{'s' * (draws > 1)} of each{_told_of(given, label)}"]  # fmt: skip
    said.append(_error(run, x, known, drawn, seed))
    return Shown(run.data, rows, [f"{i}" for i in range(n)], tuple(said))


def _examples(run: Run, n: int, of: str, seed: int, label: int | str | None) -> tuple[Tensor, Tensor | None]:
    """Examples, and the labels that the model is given with them."""
    batch = run.data.examples(n, of, seed=seed)
    own = torch.zeros(n, dtype=torch.long) if batch.labels is None else batch.labels
    return batch.x.to(run.game.device), labels_for(run.game, run.data, own, label)


def _told_of(given: Tensor | None, label: int | str | None) -> str:
    return "" if given is None else ", given its own label" if label is None else f", given label {label}"


def _error(run: Run, x: Tensor, known: Tensor, drawn: Tensor, seed: int) -> str:
    """How far completions (n, draws, *shape) are from the examples, beside the training mean."""
    hidden, train = ~known, run.data.size("train")
    if run.data.spec.kind == "sequence":
        wrong = (drawn != x[:, None])[:, :, hidden].float().mean((1, 2))
        return f"hidden symbols drawn otherwise than they are: {_told(wrong)}"
    middle = run.data.examples(min(2_000, train), "train", seed=seed).x.to(known.device).mean(0)
    gap, other = ((v - x[:, None]).abs()[:, :, hidden].mean((1, 2)) for v in (drawn, middle[None, None]))
    return f"mean error of what was hidden, in game form: {_told(gap)}, of the training mean {_told(other)}"


def _told(values: Tensor) -> str:
    if len(values) < 2:
        return f"{float(values.mean()):.3g} (one example, so without a standard error)"
    return f"{float(values.mean()):.3g} ± {float(values.std() / len(values) ** 0.5):.2g}"
