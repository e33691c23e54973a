"""Annealed importance sampling where the truth is known, and against importance weighting on a trained VAE.

    python benchmarks/annealing.py [RUNS]

First, on z ~ N(0, I), x ~ N(W z + b, sigma^2 I) with another W, b in every run: the share of runs in which the true
mean log-likelihood lies between the lower and the upper bound, without any allowance and with one of 3 Monte Carlo
standard errors; the slack of either side; and the gap of one chain, with its fall from one number of temperatures to
the next (four times the temperatures, about a quarter of the gap). Then the price of a VAE's likelihood on 8x8 digits
by each means. On a GPU where there is one.
"""

import sys
import time

import torch

from adversaria.data import load
from adversaria.distributions import log_normal
from adversaria.game import play
from adversaria.metrics.annealing import Annealing, bidirectional
from adversaria.metrics.decoders import annealed_likelihood
from adversaria.metrics.likelihood import negative_log_likelihood
from adversaria.recipes.variational.vae import VAE

D, K, EACH, SIGMA = 8, 4, 5, 0.5
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def linear(runs: int, T: int) -> list[torch.Tensor]:
    """Lower bound, its error, upper bound, its error, truth, and the gap of one chain: a mean for each run."""
    draw = torch.Generator().manual_seed(0)
    normal = lambda *shape: torch.randn(*shape, generator=draw, dtype=torch.float64).to(DEVICE)  # noqa: E731
    W, b, z = normal(runs, D, K), normal(runs, D), normal(runs, EACH, K)
    x = torch.einsum("rdk,rek->red", W, z) + b[:, None] + SIGMA * normal(runs, EACH, D)
    covariance = W @ W.mT + SIGMA**2 * torch.eye(D).to(W)
    truth = torch.distributions.MultivariateNormal(b[:, None], covariance[:, None]).log_prob(x)

    # Each example brings the weights of its run along.
    told = torch.cat([x, W[:, None].flatten(2).expand(-1, EACH, -1), b[:, None].expand(-1, EACH, -1)], 2).flatten(0, 1)

    def log_likelihood(told, z):
        x, W, b = told.split([D, D * K, D], 1)
        mean = torch.einsum("ndk,nk->nd", W.view(-1, D, K), z) + b
        return log_normal(x, mean, torch.log(torch.tensor(SIGMA)).item())

    how = Annealing(temperatures=T, chains=16, leapfrog=10, chunk=200_000)
    _, below, above = bidirectional(z.flatten(0, 1), simulate=lambda _: told, log_likelihood=log_likelihood, how=how)
    found = []
    for side in (below, above):
        found += [side.log_p.view(runs, EACH).mean(1), side.error.view(runs, EACH).square().sum(1).sqrt() / EACH]
    one = (above.log_weights - below.log_weights).mean(1).view(runs, EACH).mean(1)
    return [t.cpu() for t in (*found, truth.mean(1), one)]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"torch {torch.__version__}, {DEVICE}, {torch.get_num_threads()} threads")
    print(f"linear decoder, d = {D}, k = {K}, sigma = {SIGMA}; {runs} runs of {EACH} examples, 16 chains, 10 leapfrog")
    print(f"{'T':>6}{'inside':>9}{'with 3 se':>11}{'truth-lower':>13}{'upper-truth':>13}{'one chain':>11}{'fall':>7}"
          f"{'s':>7}")  # fmt: skip
    last = None
    for T in (60, 250, 1000):
        started = time.perf_counter()
        low, low_error, high, high_error, truth, one = linear(runs, T)
        inside = ((low <= truth) & (truth <= high)).double().mean()
        allowed = ((low - 3 * low_error <= truth) & (truth <= high + 3 * high_error)).double().mean()
        gap = float(one.mean())
        fall = f"{last / gap:.2f}" if last else ""
        print(f"{T:>6}{inside:>9.1%}{allowed:>11.1%}{(truth - low).mean():>13.4f}{(high - truth).mean():>13.4f}"
              f"{gap:>11.4f}{fall:>7}{time.perf_counter() - started:>7.1f}")  # fmt: skip
        last = gap
    digits()


def digits() -> None:
    """One VAE on digits, by each means."""
    data = load("digits")
    recipe = VAE(latent=8, width=8)
    torch.manual_seed(0)
    game = recipe.build(data.spec).to(DEVICE)
    for _ in play(game.stage(), data.batches(recipe.batch, seed=0, device=DEVICE), rounds=600):
        pass
    x = data.examples(200, "train", seed=0).x.to(DEVICE)
    print("\nVAE (latent 8, width 8, 600 rounds) on 8x8 digits")

    def known(n, **how):
        return n, lambda: negative_log_likelihood(game, x[:n], data="8-bit pixels", **how)

    def annealed(n, T, start):
        how = Annealing(temperatures=T)
        return n, lambda: annealed_likelihood(game, x[:n], data="8-bit pixels", how=how, start=start)

    for words, (n, measure) in {
        "bound, 1 draw": known(200, by="lower bound"),
        "importance weighted, K = 50": known(200, samples=50),
        "importance weighted, K = 500": known(200),
        "bound, 1 draw, fewer": known(20, by="lower bound"),
        "importance weighted, K = 5000": known(20, samples=5000),
        "annealed from q, T = 100": annealed(20, 100, "posterior"),
        "annealed from the prior, T = 100": annealed(20, 100, "prior"),
    }.items():
        started = time.perf_counter()
        found = measure()
        noise = found.details.get("monte_carlo_error")
        told = f" (Monte Carlo {noise:.4f})" if noise else ""
        print(f"{words:<34}{n:>4} images{found.value:>9.4f} bits/dim{told:<24}{time.perf_counter() - started:>7.2f}s")


if __name__ == "__main__":
    main()
