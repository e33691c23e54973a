"""Log-densities, divergences and units; everything in nats unless its name says otherwise."""

from adversaria.distributions.bernoulli import log_bernoulli
from adversaria.distributions.logistic import log_discretised_logistic
from adversaria.distributions.normal import kl_from_standard, log_normal
from adversaria.distributions.units import bits_per_dim

__all__ = ["bits_per_dim", "kl_from_standard", "log_bernoulli", "log_discretised_logistic", "log_normal"]
