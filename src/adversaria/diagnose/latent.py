"""Verdicts on latent variables: posterior collapse and unused codes."""

from collections.abc import Mapping

from adversaria.diagnose.samples import shown
from adversaria.diagnose.verdict import Evidence, Side, State, Verdict
from adversaria.metrics.estimate import Estimate

ACTIVE = 0.1
"""Share of latent dimensions that must be active."""
INFORMATION = 0.1
"""Nats that the posterior must tell of an example on average."""
UNUSED, USED = 0.5, 0.2
"""Shares of unused codes above and below which a codebook fails and passes."""


def posterior_collapse(measured: Mapping[str, Estimate]) -> Verdict:
    """Whether the latent variables tell nothing of the example."""
    active, information = measured.get("active-units"), measured.get("mutual-information")
    if active is None:
        return Verdict("posterior collapse", "not applicable", "the model has no posterior")
    dims = float(active.details["dims"])
    few = active.value / dims < ACTIVE
    evidence = [Evidence("active units", f"{active.value:.0f} of {dims:.0f}", "for" if few else "against")]
    silent = False
    if information is not None:
        silent = information.value < INFORMATION
        evidence.append(Evidence("mutual information", f"{shown(information)} nats", "for" if silent else "against"))
    advice = "a smaller beta, warming it up, free bits, or a decoder that can do less by itself"
    caveat = "A unit is active where the variance of its posterior mean exceeds 0.01; rescaled latents move that."
    if few or silent:
        sentence = f"{active.value:.0f} of {dims:.0f} latent dimensions are used: the decoder does without z"
        return Verdict("posterior collapse", "fail", sentence, tuple(evidence), advice, caveat)
    sentence = f"{active.value:.0f} of {dims:.0f} latent dimensions tell of the example"
    return Verdict("posterior collapse", "pass", sentence, tuple(evidence), advice, caveat)


def unused_codes(measured: Mapping[str, Estimate]) -> Verdict:
    """Whether a codebook lies idle."""
    idle, perplexity = measured.get("unused-codes"), measured.get("code-perplexity")
    if idle is None or perplexity is None:
        return Verdict("unused codes", "not applicable", "the model has no codebook")
    state: State = "fail" if idle.value > UNUSED else "pass" if idle.value < USED else "inconclusive"
    sides: dict[State, Side] = {"fail": "for", "pass": "against"}
    evidence = (
        Evidence("unused codes", shown(idle), sides.get(state, "neither")),
        Evidence("perplexity", shown(perplexity)),
    )
    sentence = (
        f"{idle.value:.0%} of the codes are never used; the use is that of {perplexity.value:.0f} codes used evenly"
    )
    advice = "revive idle codes (--revive), a slower codebook (--decay), fewer codes, or a shorter code (--dim)"
    return Verdict("unused codes", state, sentence, evidence, advice,
                   "Codes for rare examples look idle on few images.")  # fmt: skip
