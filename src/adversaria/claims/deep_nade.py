"""Deep NADE: what an ensemble of orders gains, and completions in an order of their own.

**Orders** (Table 1: 1 to 128 orders): test images of digits, black and white and drawn anew in training, in nats, under
sixteen orders less under one, of the same weights. Threshold 0.

**Completion** (Section 6): with the upper half of test images hidden, what the lower half says of it. In nats, the cost
of the upper half given the lower one, which an order that begins below tells exactly, less its cost by itself.
Threshold 0: a model that can't take that order gains nothing from below.
"""

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained
from adversaria.ordered import alphabet
from adversaria.recipes.autoregressive.deep_nade import AnyOrder

ORDERS = "The likelihood of held-out data rises with the number of orders in the ensemble (Table 1)."
ANY = "Missing numbers are completed in any order (Section 6)."
SIXTEEN = "nats of test images under sixteen orders, less under one"
BELOW = "nats of the upper half given the lower one, less by itself"


def measure(trial: Trial) -> dict[str, Measured]:
    """Both, from one training."""
    recipe = make("deep-nade", "small", rounds=1_500 if trial.quick else 4_000)
    game, at = trained(trial, recipe)
    many = make("deep-nade", "small", orders=16).build(trial.data.spec)
    many.load_state_dict(game.state_dict())
    sixteen, one = (cost(model, trial.data).value for model in (many, game))
    net, numbers = game.networks["model"], alphabet(trial.data.spec)
    assert isinstance(net, AnyOrder)
    line = numbers.line(trial.data.examples(trial.data.size("test"), "test").x)
    d = line.shape[1]
    upper, lower = list(range(d // 2)), list(range(d // 2, d))
    with torch.no_grad(), game.at_rest():
        orders = (lower + upper, lower, upper)
        whole, half, alone = (-float(net.score(numbers, line, order).mean()) for order in orders)
    return {
        SIXTEEN: Measured(sixteen, one, {"best round": at}),
        BELOW: Measured(whole - half, alone, {"best round": at}),
    }


CHECKS = tuple(
    Check(claim=claim, quantity=quantity, measure=measure, threshold=0.0, holds="below", data=("digits-dynamic",))
    for claim, quantity in ((ORDERS, SIXTEEN), (ANY, BELOW))
)
