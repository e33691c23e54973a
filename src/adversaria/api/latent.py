"""The latent tools on a run: what to draw or look up, and what to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from adversaria import latent
from adversaria.api import material
from adversaria.api.drawings import Shown
from adversaria.api.run import Run
from adversaria.errors import UserError, at_least
from adversaria.metrics import mean
from adversaria.metrics.balls import coverage, precision
from adversaria.runs.sampling import given_for

TRUNCATIONS = (0.3, 0.5, 0.7, 1.0, 2.0)
COUNTED = 500
"""Samples behind precision, coverage and mean distances, at most."""


def interpolate(
    run: Run, pairs: int = 6, steps: int = 9, *, way: latent.Way | None = None, between: material.Between = "prior",
    label: int | None = None, seed: int = 0,
) -> Shown:  # fmt: skip
    """Paths between pairs of codes: draws of the prior, or codes of held-out examples, encoded or inverted."""
    at_least("number of pairs", pairs, 1)
    game, prior = material.ready(run, label)
    if between == "prior":
        ends, what = game.latent(2 * pairs, seed=seed), "draws of the prior"
    else:
        ends, what = material.codes_of(run, material.held_out(run.data, 2 * pairs, seed), between, label, seed)
    examples, codes = latent.interpolate(game, ends[:pairs], ends[pairs:], steps, way=way, label=label, prior=prior)
    way = way or ("spherical" if prior.law == "normal" else "linear")
    said = [f"{pairs} {way} paths of {steps} examples between {what}"]
    if steps > 2:
        moved = examples.diff(dim=1).flatten(2).double().norm(dim=2)
        ratio = (moved.amax(1) / moved.mean(1).clamp(min=1e-30)).sort().values
        said.append(f"largest step over mean step: median {float(ratio.median()):.2f}, {float(ratio[0]):.2f} to "
                    f"{float(ratio[-1]):.2f} ({pairs} paths; 1 is even, {steps - 1} one jump)")  # fmt: skip
    return Shown(run.data, list(examples), [f"{i}" for i in range(pairs)], tuple(said), codes.flatten(0, 1))


def arithmetic(
    run: Run, plus: Sequence[str] = (), minus: Sequence[str] = (), *, plus_samples: Sequence[Sequence[int]] = (),
    minus_samples: Sequence[Sequence[int]] = (), examples: int = 8, noise: float = 0.25, label: int | None = None,
    seed: int = 0,
) -> Shown:  # fmt: skip
    """Averaged codes added and subtracted, of classes where the model encodes, or of samples of the numbered sheet.

    Args:
        run: trained.
        plus: classes whose mean codes are added.
        minus: classes whose mean codes are subtracted.
        plus_samples: numbers on the sheet of samples, a set for each term that is added.
        minus_samples: the same of those subtracted.
        examples: training examples of a class that are encoded and averaged.
        noise: see `latent.around`.
        label: for a model that decodes under labels.
        seed: of samples and examples.
    """
    game, _ = material.ready(run, label)
    if not (plus or minus or plus_samples or minus_samples):
        return numbered(run, label=label, seed=seed)
    added = [(name, *material.of_class(run, name, examples, seed)) for name in plus]
    added += [(_named(chosen), *material.of_sheet(run, chosen, label, seed)) for chosen in plus_samples]
    taken = [(name, *material.of_class(run, name, examples, seed)) for name in minus]
    taken += [(_named(chosen), *material.of_sheet(run, chosen, label, seed)) for chosen in minus_samples]
    summed = latent.combination([z for _, _, z in added], [z for _, _, z in taken])
    codes = latent.around(summed, noise=noise, seed=seed)
    rows, captions = [], []
    terms = [("+", term) for term in added[:1]] + [("-", term) for term in taken] + [("+", term) for term in added[1:]]
    for sign, (name, x, z) in terms:
        middle = latent.decoded(game, z.mean(0, keepdim=True), label)
        rows.append(torch.cat([middle, x.to(middle)]))
        captions.append(f"{sign} {name}")
    rows.append(latent.decoded(game, codes, label))
    formula = " ".join(captions).removeprefix("+ ")
    said = (f"{formula}: first the mean code of each term, then its examples; below the sum, then {len(codes) - 1} "
            f"codes within {noise:g} of it in each coordinate")  # fmt: skip
    return Shown(run.data, rows, [*captions, "="], (said,), codes, "clouds")


def numbered(run: Run, *, label: int | None = None, seed: int = 0) -> Shown:
    """Samples with their numbers on them, to be named in `arithmetic`."""
    game, _ = material.ready(run, label)
    codes = game.latent(material.SHEET, seed=seed)
    x = latent.decoded(game, codes, label)
    rows = list(x.split(8)) if run.data.spec.kind == "image" else [x]
    said = "samples by number; name a few that share something: --a 1,5,9 --b 2,4,6 --c 3,7,8 for a - b + c"
    return Shown(run.data, rows, ["samples"] * len(rows), (said,), codes, "numbers")


def traverse(
    run: Run, coordinates: Sequence[int] | None = None, *, count: int = 8, steps: int = 9, reach: float = 2.0,
    draws: int = 128, label: int | None = None, seed: int = 0,
) -> Shown:  # fmt: skip
    """One code with one coordinate moved at a time: those given, or those of highest effect."""
    game, prior = material.ready(run, label)
    k = len(prior.laws)
    at_least("number of coordinates", count, 1)
    measured = latent.effects(game, draws, label=label, seed=seed)
    chosen = list(coordinates) if coordinates else measured.largest(min(count, k))
    code = game.latent(1, seed=seed)[0]
    examples, codes = latent.traverse(game, code, chosen, steps=steps, reach=reach, label=label, prior=prior)
    share = [f"{100 * float(measured.share[j]):.1f} ± {100 * float(measured.error[j]):.1f}%" for j in chosen]
    told = ", ".join(f"{j}: {part}" for j, part in zip(chosen, share, strict=True))
    far = float(prior.inside(codes.new_full((k,), reach))[chosen].amax())
    said = (
        f"{len(chosen)} of {k} coordinates, each from {-far:.3g} to {far:.3g} standard deviations of the prior",
        f"share of the samples' variance that redrawing the coordinate alone makes (n = {draws}): {told}",
    )
    captions = [f"z{j}\n{part}" for j, part in zip(chosen, share, strict=True)]
    return Shown(run.data, list(examples), captions, said, codes.flatten(0, 1))


def truncate(
    run: Run, t: Sequence[float] = TRUNCATIONS, *, n: int = 10, label: int | None = None, seed: int = 0
) -> Shown:  # fmt: skip
    """The same draws truncated at each t, with precision and coverage of more of them against held-out examples."""
    at_least("number of samples", n, 1)
    game, prior = material.ready(run, label)
    if not t:
        raise UserError("no truncation given; give some in standard deviations of the prior, as 0.5 1.0 2.0")
    counted = min(COUNTED, material.most(run.data))
    real = material.held_out(run.data, counted, seed).flatten(1).float()
    shown = counted if run.data.spec.kind == "points" else n
    z, rows, said = game.latent(max(shown, counted), seed=seed), [], []
    codes = [latent.truncated(z, prior, value) for value in t]
    for value, part in zip(t, codes, strict=True):
        x = latent.decoded(game, part, label).cpu().float()
        rows.append(x[:shown])
        if counted > 3:
            made = x[:counted].flatten(1)
            good, varied = precision(real=real, generated=made), coverage(real=real, generated=made, k=3)
            said.append(f"t = {value:g}: precision {material.interval(good)}, coverage {material.interval(varied)}")
    how = f"{shown} draws truncated at t standard deviations; precision and coverage of {counted} on the raw numbers"
    captions = [f"t = {value:g}" for value in t]
    kept = torch.cat([part[:shown] for part in codes])
    return Shown(run.data, rows, captions, (how, *said), kept, "panels")


def neighbours(
    run: Run, n: int = 8, k: int = 5, *, space: Literal["pixels", "codes"] = "pixels", seed: int = 0
) -> Shown:  # fmt: skip
    """Samples with their nearest training examples, on their raw numbers or in code space where the model encodes."""
    at_least("number of samples", n, 1)
    run.use_its_threads()
    game, data = run.game, run.data
    if game.condition == "image" or data.spec.domains > 1:
        raise UserError("this model translates images; its samples are near to what they were made from")
    if space == "codes" and not game.can("encode"):
        raise UserError("this model doesn't encode, so examples have no codes to compare; leave --space codes out")

    def placed(x: Tensor) -> Tensor:
        x = x.to(game.device)
        return game.encode(x, seed=seed) if space == "codes" else x.flatten(1)

    counted = min(max(n, 200), max(n, material.most(data)))
    samples = game.sample(counted, given_for(game, data, counted), seed=seed)
    held = material.held_out(data, min(counted, material.most(data)), seed)
    queries = torch.cat([placed(samples), placed(held)])
    found = latent.neighbours(queries, (placed(rows) for rows in latent.training_rows(data)), k)
    members = data.members("train")[-1]
    near = material.gathered(data, members[found.index[:n].cpu().numpy().ravel()]).unflatten(0, (n, k))
    rows = list(torch.cat([samples[:n, None].cpu(), near], 1))
    away = [mean("distance", part[:, 0].cpu(), "", {}) for part in found.distance.split([counted, len(held)])]
    told = [f"{e.value:.3g} ± {e.error:.2g} (n = {e.n})" for e in away]
    said = (
        f"{n} samples, each with its {k} nearest of {len(members)} training examples on the right, by distance in "
        f"{'the space of codes' if space == 'codes' else 'raw numbers'}",
        f"mean distance to the nearest: samples {told[0]}, held-out examples {told[1]}",
    )
    return Shown(data, rows, [f"{float(d):#.3g}" for d in found.distance[:n, 0]], said)


def invert(
    run: Run, n: int = 8, *, of: str = "test", starts: int = 8, steps: int = 400, rate: float = 0.2,
    weight: float = 0.0, label: int | None = None, seed: int = 0,
) -> Shown:  # fmt: skip
    """Codes found for held-out examples (or those of `of`), beside what the same descent makes of the model's own."""
    at_least("number of examples", n, 1)
    game, _ = material.ready(run, label)
    how = {"starts": starts, "steps": steps, "rate": rate, "weight": weight, "label": label, "seed": seed}
    x, what = material.wanted(run, of, n, label, seed)
    found = latent.invert(game, x, **how)  # type: ignore[arg-type]
    said = [f"codes for {len(x)} {what}: each example and what its best code decodes to", str(found)]
    if of != "samples":
        own = latent.decoded(game, game.latent(len(x), seed=seed + 1), label)
        told = latent.invert(game, own, **how)  # type: ignore[arg-type]
        said.append(f"as many of the model's own samples, which have a code: {told}")
    return Shown(run.data, *material.beside(run.data, x, found.examples, "found"), tuple(said), found.codes)


def reconstruct(run: Run, n: int = 10, *, of: str = "test", seed: int = 0) -> Shown:
    """Examples and what the model makes of what it knows of them."""
    at_least("number of examples", n, 1)
    run.use_its_threads()
    if not run.game.can("reconstruct"):
        raise UserError(f"this model cannot reconstruct; 'adversaria latent {run.path} invert' looks for codes instead")
    x, what = material.wanted(run, of, n, None, seed)
    y = run.game.reconstruct(x.to(run.game.device), seed=seed).to(x)
    error = (x - y).square().flatten(1).double().mean(1)
    low, middle, high = error.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=error.dtype)).tolist()
    said = (
        f"{len(x)} {what}, each with its reconstruction",
        f"mean squared error {middle:.3g} (median of {len(x)}; quartiles {low:.3g} to {high:.3g})",
    )
    return Shown(run.data, *material.beside(run.data, x, y, "made again"), said)


def _named(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
