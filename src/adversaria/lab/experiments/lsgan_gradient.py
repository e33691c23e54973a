"""Which adversarial losses still push a sample that the discriminator takes for data, and which way?

    non-saturating   -log D        d/ds = -sigmoid(-s)      fades on the right side
    minimax          log(1 - D)    d/ds = -sigmoid(s)       fades on the wrong side
    least squares    (s - c)^2     d/ds = 2 (s - c)         fades nowhere, and turns at c
    hinge, Wasserstein   -s        d/ds = -1
    relativistic     -log sigmoid(s - r)   d/ds = -sigmoid(r - s)      s logit of a sample, r of data, D = sigmoid(s)

The gradient of every loss in the sample's logit, by automatic differentiation, must equal the closed form to 1e-5 for
logits from -8 to 8. At logit 6, deep on the data's side, least squares alone may have a positive gradient, which draws
the sample back to the boundary, among all six losses and the seven f-divergences. Then logits themselves are moved by
100 steps of gradient descent: under least squares all must end at c = 1 within 0.01, from either side; under every
other loss one that starts at 6 must end no nearer to 1.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from adversaria.game import SGD, Player, Stage, play
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.objectives.divergences import ROWS, FDivergence
from adversaria.objectives.losses import LOSSES, Loss

SOURCES = ("004",)
MORE = ("Mao et al. (2017), arXiv:1611.04076",)
S = torch.linspace(-8, 8, 161).double()
RIGHT, C = 6.0, 1.0
CLOSED = {
    "non-saturating": -torch.sigmoid(-S), "minimax": -torch.sigmoid(S), "least-squares": 2 * (S - C),
    "hinge": -torch.ones_like(S), "wasserstein": -torch.ones_like(S), "relativistic": -torch.sigmoid(-S),
}  # fmt: skip


def total(loss: Loss | FDivergence, s: Tensor) -> Tensor:
    """What the generator pays for all samples together; data have logit 0."""
    terms = loss.generator(s, torch.zeros_like(s))
    return len(s) * torch.stack(list(terms.values())).sum()


def gradient(loss: Loss | FDivergence) -> Tensor:
    s = S.clone().requires_grad_()
    (found,) = torch.autograd.grad(total(loss, s), s)
    return found


def moved(loss: Loss, steps: int = 100) -> Tensor:
    """Where each logit of S is after gradient descent on the generator's side."""
    s = nn.ParameterList([nn.Parameter(S.clone())])
    player = Player("samples", (s,), lambda _: {"loss": total(loss, s[0])}, SGD(lr=0.05))
    for _ in play(Stage((player,)), [torch.zeros(1, 1)], rounds=steps):
        pass
    return s[0].detach()


def run(bench: Bench) -> Outcome:
    losses = {name: make() for name, make in LOSSES.items()}
    slopes = {name: gradient(loss) for name, loss in losses.items()}
    others = {name: gradient(FDivergence(name)) for name in ROWS}
    ends = {name: moved(loss) for name, loss in losses.items()}
    right = int((S - RIGHT).abs().argmin())
    back = [name for name, g in {**slopes, **others}.items() if float(g[right]) > 0]
    away = min(abs(float(end[right]) - C) for name, end in ends.items() if name != "least-squares")
    return Outcome(
        (
            below("largest error of a gradient against its closed form",
                  max(float((slopes[name] - CLOSED[name]).abs().max()) for name in losses), 1e-5),
            near("least squares: gradient at logit 6", float(slopes["least-squares"][right]), 2 * (RIGHT - C), 1e-9,
                 exact="2 (s - c)"),
            below("non-saturating: size of its gradient at logit 6", float(-slopes["non-saturating"][right]), 0.01),
            below("minimax: size of its gradient at logit -6", float(-slopes["minimax"].flip(0)[right]), 0.01),
            near("losses that draw a sample at logit 6 back, of 13", len(back), 1, 0, exact="least squares alone"),
            below("least squares: largest distance of a moved logit from c",
                  float((ends["least-squares"] - C).abs().max()), 0.01),
            above("others: least distance from 1 of the logit that started at 6", away, RIGHT - C),
        ),
        {"s": S, "gradients": slopes, "f-divergences": others, "moved": ends},
        "Least squares alone crosses zero: a sample beyond c is drawn back to the boundary, the harder the farther it "
        "is. The non-saturating loss has forgotten it by then, and the minimax loss forgets those on the wrong side.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    first, second, third = panels(figure, 3)
    figure.set_size_inches(9.6, 3.6)
    s = torch.as_tensor(told["s"])
    looks = {"non-saturating": (0, "-"), "minimax": (1, "-"), "least-squares": (2, "-"), "hinge": (3, "-"),
             "wasserstein": (6, ":"), "relativistic": (4, "--")}  # fmt: skip
    for name, (colour, dashes) in looks.items():
        style: dict[str, Any] = {"color": COLOURS[colour], "linestyle": dashes, "label": name}
        first.plot(s, torch.as_tensor(told["gradients"][name]), **style)
        third.plot(s, torch.as_tensor(told["moved"][name]), **style)
    for (name, g), shade in zip(told["f-divergences"].items(), COLOURS, strict=False):
        second.plot(s, torch.as_tensor(g), color=shade, label=name)
    for axes in (first, second):
        axes.axhline(0, color=COLOURS[7], lw=0.8)
        axes.set_ylim(-3, 6)
    third.plot(s, s, color=COLOURS[7], lw=0.8, label="unmoved")
    labelled(first, "logit s of a sample", "gradient of the generator's loss in s", "six losses")
    labelled(second, "output v of a sample", "gradient in v", "f-divergences")
    labelled(third, "logit before", "logit after", "100 steps of gradient descent")
    first.legend(loc="upper left", fontsize=7)
    second.legend(loc="upper right", fontsize=7)
    third.legend(handles=third.lines[-1:], loc="lower right")
