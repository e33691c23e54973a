"""Gumbel VAE: whether it draws what captions say that it never saw, and whether cold codes are hard ones.

**Captions** (2102.12092, Figure 2): of 400 samples given captions that no training image has, the share of which the
pixels say all of the caption: both shapes, both colours and how they lie. Preset `captions`. Threshold 0.5, more often
than not; a caption drawn at random would be right once in 288.

**Temperature** (1611.01144, Section 2.2): the nats that test images of digits cost the decoder by hard codes, argmax,
less by soft ones at the temperature of the end, where it falls to 0.1 less where it stays at 2. Preset `small`, from
the same seed. Threshold 0.
"""

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.data import shapes
from adversaria.game import seeded
from adversaria.nn.convolved import Convolved
from adversaria.nn.observation import Observation
from adversaria.recipes.quantised.gumbel_vae import GumbelVAE, one_hot

SAYS = "Given a caption that no training image has, the second stage draws what it says (2102.12092, Figure 2)."
COLD = "The temperature's fall closes the gap between soft and hard codes (Section 2.2)."
N = 400


def captions(trial: Trial) -> Measured:
    """The share of samples that say all of a held-out caption."""
    game = trial.play(make("gumbel-vae", "captions", **({"rounds": 3_000} if trial.quick else {})))
    test = trial.data.examples(N, "test", seed=trial.seed)
    assert test.labels is not None
    images = game.sample(N, test.labels, seed=0), game.reconstruct(test.x)
    said = [shapes.read(trial.data.spec.to_user(each)) == test.labels.numpy() for each in images]
    says, rebuilt = (float(right.mean()) for right in said)
    return Measured(says, facts={"of reconstructions": rebuilt})


def temperature(trial: Trial) -> Measured:
    """How much dearer hard codes are than soft ones, with the fall and without."""
    return Measured(gap(trial, 0.1), gap(trial, 2.0))


def gap(trial: Trial, coldest: float) -> float:
    """Nats of test images by hard codes, less by soft ones at the last temperature."""
    recipe = make("gumbel-vae", "small", coldest=coldest, cooling=300, rounds=1_200 if trial.quick else 3_000)
    game = trial.play(recipe)
    C, p = game.networks["codes"], game.networks["observation"]
    assert isinstance(recipe, GumbelVAE) and isinstance(C, Convolved) and isinstance(p, Observation)
    x = trial.data.examples(min(trial.data.size("test"), 500), "test").x
    with game.at_rest(), seeded(trial.seed):
        logits = C.encode(x)
        codes = one_hot(logits.argmax(1), recipe.codes), recipe.relaxed(logits, torch.ones(()))
        hard, soft = (-float(p.log_prob(x, C.decode(z)).mean()) for z in codes)
    return hard - soft


CHECKS = (
    Check(claim=SAYS, quantity="share of samples that say a held-out caption whole", measure=captions,
          threshold=0.5, holds="above", data=("captioned-shapes",), seeds=3, quick_seeds=2),
    Check(claim=COLD, quantity="nats that hard codes cost more than soft ones, less without a falling temperature",
          measure=temperature, threshold=0.0, holds="below", own="images"),
)  # fmt: skip
