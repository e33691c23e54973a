"""The precision-recall picture: what precision a model has at what recall, beside that between two real sets."""

import io
from typing import Any

from adversaria.evaluation.sets import Sets
from adversaria.metrics.balls import precision_recall_curve


def tradeoff(sets: Sets) -> tuple[bytes, str]:
    """A PNG of the curve by clusters, and its caption."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = min(len(sets.real), len(sets.generated))
    found = precision_recall_curve(real=sets.real[:n], generated=sets.generated[:n], seed=sets.seed)
    figure = Figure(figsize=(4.6, 4.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    for other in sets.nulls(1):
        ideal = precision_recall_curve(real=other.real[:n], generated=other.generated[:n], seed=sets.seed)
        axes.plot(ideal.recall, ideal.precision, color="0.6", linewidth=1.2, label="other real data")
    axes.plot(found.recall, found.precision, color="C0", linewidth=1.8, label="samples")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall: how much of the data samples reach",
             ylabel="precision: how much of the samples is like data", aspect="equal")  # fmt: skip
    axes.grid(color="0.92")
    axes.legend(loc="lower left", frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    said = (f"precision against recall over 20 clusters of {n} samples and {n} real examples [{sets.features.name}]; "
            f"F_8 {found.f_recall:.3f} (recall), F_1/8 {found.f_precision:.3f} (precision)")  # fmt: skip
    return stream.getvalue(), said
