"""Are the verdicts right where the truth is known? Five models, and real data in place of samples for false alarms.

    python benchmarks/verdicts.py [--data digits] [--alarms 40] [--jobs 2]

| case       | what the samples are                                  | what must be said                          |
|------------|-------------------------------------------------------|--------------------------------------------|
| memoriser  | training examples, copied                             | memorisation fails, collapse doesn't       |
| dropped    | fresh real examples without three of ten classes      | collapse fails, memorisation doesn't       |
| good       | fresh real examples                                   | nothing fails; fit passes                  |
| underfit   | a VAE after 1% of its rounds                          | fit fails, memorisation doesn't            |
| unused     | a trained VAE with beta = 100                         | posterior collapse fails                   |
| trained    | a VAE, trained: a real one that should pass posterior collapse      |                              |

Real examples stand for a model's samples where no model is known to be perfect. They come from a half of the training
split that isn't called training set here; features never see the difference.
"""

import argparse
import multiprocessing
import os
import sys
from dataclasses import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

import adversaria as adv
from adversaria.api.run import Run
from adversaria.data import Dataset
from adversaria.diagnose.verdict import Verdict
from adversaria.diagnose.whole import verdicts
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.controls import gather
from adversaria.evaluation.features import Features
from adversaria.evaluation.sets import Sets, prepare, reference
from adversaria.evaluation.suite import METRICS, measure
from adversaria.runs.evaluation import draws_for, sets_of

NAMES = [
    name
    for name in METRICS
    if name not in ("path-length", "wasserstein", "kernel", "mmd", "energy", "stacks", "likelihood")
]
MUST = {
    "memoriser": ({"memorisation"}, {"collapse", "fit"}),
    "dropped": ({"collapse"}, {"memorisation"}),
    "good": (set(), {"fit", "collapse", "memorisation", "blur"}),
    "underfit": ({"fit"}, {"memorisation"}),
    "unused": ({"posterior collapse"}, {"memorisation"}),
    "trained": (set(), {"posterior collapse", "memorisation", "collapse"}),
}
"""Verdicts that must fail, and that must not."""


def halves(data: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The training split cut in two: training set, fresh examples."""
    order = np.random.default_rng([seed, 5]).permutation(data.members("train")[-1])
    cut = len(order) // 2
    return order[:cut], order[cut:]


def sets_for(case: str, data: Dataset, features: Features, n: int, seed: int) -> Sets:
    """The case's samples beside the reference, with the first half as the training set."""
    train, fresh = halves(data, seed)
    if case == "memoriser":
        chosen = np.random.default_rng(seed).choice(train, n)
    elif case == "dropped":
        chosen = fresh[~np.isin(data.labels[fresh], (2, 5, 7))][:n]
    else:
        chosen = fresh[:n]
    sets = prepare(data, gather(data, chosen), features, seed=seed)
    places = np.sort(train)
    return replace(sets, train=features(gather(data, places)), train_places=places)


def told(sets: Sets) -> dict[str, Verdict]:
    """Verdicts on the samples and latents."""
    measured = measure(sets, NAMES, draws_for(len(sets.real)))
    return {verdict.name: verdict for verdict in verdicts(measured.estimates)}


def trained(case: str, source: str, rounds: int, folder: str) -> Run:
    """The models of the last three cases."""
    changed = {"beta": 100.0} if case == "unused" else {}
    rounds = max(5, rounds // 100) if case == "underfit" else rounds
    return adv.train(adv.recipe("vae", **changed), source, rounds=rounds, out=f"{folder}/{case}-{os.getpid()}", seed=0)


def judge(case: str, said: dict[str, Verdict]) -> bool:
    """Prints what was said; whether it is right."""
    fail, not_fail = MUST[case]
    failed = {name for name, verdict in said.items() if verdict.state == "fail"}
    right = fail <= failed and not (not_fail & failed)
    states = ", ".join(f"{name} {verdict.state}" for name, verdict in said.items() if verdict.state != "not applicable")
    print(f"{'right' if right else 'WRONG':<6} {case:<10} {states}", flush=True)
    if not right:
        for name in sorted((fail - failed) | (not_fail & failed)):
            print(said[name])
    return right


def alarm(task: tuple[str, int]) -> set[str]:
    """Verdicts that fail on real data."""
    torch.set_num_threads(1)
    source, seed = task
    data = adv.load(source)
    features = features_for(data)
    n = min(1000, len(reference(data, "test")[0]))
    said = told(sets_for("good", data, features, n, seed))
    return {verdict.name for verdict in said.values() if verdict.state == "fail"}


def main(source: str, alarms: int, jobs: int, rounds: int, folder: str) -> int:
    """Returns how many cases were judged wrongly, and one more for too many false alarms."""
    data = adv.load(source)
    features = features_for(data)
    n = min(2000, len(reference(data, "test")[0]))
    print(f"{data.name}: {n} samples, features {features.name} ({features.note})", flush=True)
    wrong = sum(
        not judge(case, told(sets_for(case, data, features, n, 0))) for case in ("memoriser", "dropped", "good")
    )
    for case in ("underfit", "unused", "trained"):
        run = trained(case, source, rounds, folder)
        wrong += not judge(case, told(sets_of(run.game, run.data, features, n=n)))
    if alarms:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            found = list(pool.imap_unordered(alarm, [(source, 100 + i) for i in range(alarms)]))
        names = sorted(set().union(*found))
        share = sum(map(bool, found)) / alarms
        counts = ", ".join(f"{name} {sum(name in f for f in found)}" for name in names)
        print(f"false alarms on real data: {share:.1%} of {alarms} runs ({counts or 'none'})")
        wrong += share > 0.05
    print("all right" if not wrong else f"{wrong} wrong")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--alarms", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=1500)
    parser.add_argument("--folder", default="runs/verdicts")
    given = parser.parse_args()
    sys.exit(1 if main(given.data, given.alarms, given.jobs, given.rounds, given.folder) else 0)
