"""All verdicts on a model: its samples, its latent variables, its play."""

from collections.abc import Mapping, Sequence

from adversaria.diagnose import latent, play, samples
from adversaria.diagnose.play import Record
from adversaria.diagnose.verdict import Verdict
from adversaria.metrics.estimate import Estimate

ORDER = {"fail": 0, "inconclusive": 1, "pass": 2, "not applicable": 3}


def verdicts(
    measured: Mapping[str, Estimate], *, rounds: Sequence[Record] = (), scores: Sequence[Record] = (),
    events: Sequence[Record] = (), reasons: Mapping[str, str] | None = None,
) -> list[Verdict]:  # fmt: skip
    """Every verdict, faults first.

    Args:
        measured: estimates by metric, of the suite and of the play ("held-out-gap", "gradient-slope",
            "cycling").
        rounds: the log's records of rounds.
        scores: its records of scores.
        events: its events.
        reasons: why a number of the play is missing, by its name.
    """
    why = reasons or {}
    found = [
        samples.fit(measured),
        samples.collapse(measured),
        samples.memorisation(measured),
        samples.blur(measured),
        latent.posterior_collapse(measured),
        latent.unused_codes(measured),
        play.discriminator_overfit(measured, why.get("held-out-gap", "")),
        play.vanishing_gradient(measured, why.get("gradient-slope", "")),
        play.cycling(measured, why.get("cycling", "")),
        play.divergence(rounds, scores, events),
    ]
    return sorted(found, key=lambda verdict: ORDER[verdict.state])
