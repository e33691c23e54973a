"""What must be true of any model by its definition, tried on a copy so small that all of it can be counted.

| oracle            | of a model that can                     | what is tried                                         |
|-------------------|-----------------------------------------|-------------------------------------------------------|
| sums to one       | tell exact likelihoods of discrete data | probabilities of all examples add up to 1             |
| sampler           | the same, and sample                    | samples against the probabilities, by chi-squared     |
| never looks ahead | tell the law of each number             | laws sum to 1, multiply to p, ignore later numbers    |
| mass              | tell exact densities of points          | its integral is the share of samples in a square      |
| entropy           | the same, and sample                    | samples are as likely as the density says             |
| inverse           | encode and decode without loss          | examples come back                                    |
| Jacobian          | the same, with a prior                  | log p(x) = log p(z) + log det dz/dx by autograd, of   |
|                   |                                         | images at the noise that their bound is told by       |
| dequantisation    | draw images between levels              | the noise has the density that is told                |
| observation       | tell a likelihood given codes           | given a code, all discrete examples add up to 1       |
| tokens            | tell tokens, and reconstruct            | the same tokens are reconstructed alike               |
| prior             | draw and tell a prior                   | codes have the density they are drawn from            |
| posterior         | infer                                   | the same, given an example                            |
| bounds            | tell likelihood, prior and posterior    | the bound by 1 sample <= by 10 <= by 100              |
| bound             | tell a bound                            | it isn't above log p, nor the bound by 200 samples;   |
|                   |                                         | all discrete examples have at most 1 by it            |
| kind and seed     | sample                                  | of the data's kind, and a function of the seed        |

A prior over tokens is tried by the first three as a model of its own.
"""

from adversaria.oracles.suite import Finding, findings

__all__ = ["Finding", "findings"]
