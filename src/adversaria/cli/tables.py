"""Numbers as tables of plain text: readable in a terminal, a log and a mail."""

import math
from collections.abc import Iterator, Sequence
from typing import Any


def measured(told: dict[str, Any]) -> Iterator[str]:
    """An evaluation: what was compared, a row for each number, and what is undefined."""
    from adversaria.metrics.estimate import Estimate

    features = told["features"]
    what = told.get("samples") or (f"{told['run']}, round {told['round']}" if told.get("run") else "samples")
    real = f"{told['n_real']} real examples of {told['data']}" if "n_real" in told else told["data"]
    yield f"{what}: {told['n']} samples against {real} ({told['against']})"
    note = f"; {features['note']}" if features["note"] else ""
    yield f"features: {features['name']}, d = {features['d']}, hash {features['hash']}{note}"
    yield ""
    rows = [("", "value", "95% interval", "real v. real", "excess", "p", "n")]
    for values in told["estimates"]:
        e = Estimate.from_dict(values)
        low, high = e.interval
        null = "" if e.null is None else f"{e.null.mean:.4g} ± {e.null.sd:.2g}"
        known = math.isfinite(low) or math.isfinite(high)
        rows.append((
            titled(e, e.unit), f"{e.value:.4g}", f"[{low:.4g}, {high:.4g}]" if known else "",
            null, beyond(e.excess), "" if e.p is None else chance(e.p), f"{e.n}",
        ))  # fmt: skip
    yield from aligned(rows)
    noted = [
        (titled(Estimate.from_dict(values), ""), values["bias"])
        for values in told["estimates"]
        if not values.get("bias", "none").startswith(("none", "exact null given"))
    ]
    if noted:
        yield ""
        yield "to be read with:"
        yield from (f"  {name}: {bias}" for name, bias in noted)
    if told["n"] > told.get("n_real", told["n"]):
        yield ""
        yield f"no value between two real sets where the data have too few examples; -n {told['n_real']} has one"
    if told["undefined"]:
        yield ""
        yield "not measured:"
        yield from (f"  {name}: {reason}" for name, reason in told["undefined"].items())


MOST = 1000.0


def beyond(excess: float) -> str:
    """An excess over the null in standard deviations; a bound where the figure itself says nothing more.

    >>> beyond(2.345), beyond(-1e143), beyond(float("nan"))
    ('+2.3', '<-1000', '')
    """
    if math.isnan(excess):
        return ""
    if abs(excess) > MOST:
        return f">+{MOST:.0f}" if excess > 0 else f"<-{MOST:.0f}"
    return f"{excess:+.1f}"


def titled(e: Any, unit: str) -> str:
    """A number's name; of a likelihood also which kind it is, since kinds aren't comparable; its unit."""
    kind = str(e.protocol.get("kind", "")).removeprefix("annealed importance sampling ")  # its name says so
    return ", ".join(part for part in (e.name, kind, unit) if part)


def chance(p: float) -> str:
    """A p-value with two significant digits, or a bound where it is beyond telling."""
    return f"{p:.2g}" if p >= 1e-6 else "<1e-6"


def seen(told: dict[str, Any]) -> Iterator[str]:
    """Which metric sees which control: excess over real data, and a mark where it is significant."""
    features = told["features"]
    yield f"{told['data']}: {told['n']} spoilt examples against {told['n_real']} real ones ({told['against']})"
    yield f"features: {features['name']}, d = {features['d']}, hash {features['hash']}"
    yield ""
    yield from (f"  {name}: {said}" for name, said in told["controls"].items())
    yield ""
    names = ["real", *told["controls"]]
    rows = [("", *names)]
    for row in told["rows"]:
        rows.append((row["name"], *(_cell(row["cells"][name]) for name in names)))
    yield from aligned(rows)
    yield ""
    yield told["said"]


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "-"
    told = f"p {cell['p']:.2g}" if cell["by"] == "p" else beyond(cell["excess"])
    return f"{told} {'*' if cell['seen'] else ' '}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their columns lined up, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, *others = (cell.ljust(w) if i == 0 else cell.rjust(w)
                          for i, (cell, w) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        yield "  ".join([first, *others]).rstrip()


def compared(told: dict[str, Any]) -> Iterator[str]:
    """A comparison: a row for each number, a column for each run, and in words what may be said."""
    from adversaria.metrics.estimate import Estimate

    protocol = told["protocol"]
    yield (f"{protocol['data']} ({protocol['split']}): {protocol['n_generated']} samples of each against "
           f"{protocol['n_real']} real examples")  # fmt: skip
    yield f"features: {told['features']['name']}, d = {told['features']['d']}, hash {told['features']['hash']}"
    for run in told["runs"]:
        seeds = f", seeds {', '.join(map(str, run['seeds']))}" if run["seeds"] else ""
        yield f"  {run['label']}: {run['path']}, {run['rounds']} rounds in {run['seconds']:.0f} s{seeds}"
    yield ""
    rows = [("", *(run["label"] for run in told["runs"]), "real v. real", "")]
    for row in told["rows"]:
        cells, null = [], ""
        for i, cell in enumerate(row["cells"]):
            if "undefined" in cell:
                cells.append("undefined")
                continue
            e = Estimate.from_dict(cell)
            low, high = e.interval
            spread = f" ± {e.error:.2g}" if math.isfinite(e.error) else f" [{low:.3g}, {high:.3g}]"
            cells.append(f"{e.value:.4g}{spread}{' *' if row['best'] == i else ''}")
            null = null or ("" if e.null is None else f"{e.null.mean:.3g} ± {e.null.sd:.2g}")
        name = f"{row['name']}, {row['unit']}" if row["unit"] else row["name"]
        mark = "> " if row["metric"] == told["primary"] else ""
        rows.append((f"{mark}{name}", *cells, null, row["verdict"]))
    *table, last = zip(*rows, strict=True)
    lined = list(aligned(list(zip(*table, strict=True))))
    yield from (f"{line}  {said}".rstrip() for line, said in zip(lined, last, strict=True))
    yield ""
    if told["verdicts"]:
        names = ("", *(run["label"] for run in told["runs"]))
        yield from aligned([names, *((name, *states) for name, states in told["verdicts"].items())])
        yield ""
    yield "> decides; * is better than every other (p < 0.05 after Holm); ± is one standard error"
    yield from (f"bits/dim: {warning}" for warning in told["warnings"])
    if told["agreement"]:
        yield told["agreement"]
