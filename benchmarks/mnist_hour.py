"""Likelihood models on dynamically binarised MNIST, each trained within an hour of two cores.

    python benchmarks/mnist_hour.py --data PATH [--systems "vae;vae-iaf;..."]
        [--out results/mnist-hour] [--page docs/mnist-hour.md]

PATH is MNIST as `adversaria train --data` takes it. Pixels are ones with the probability of their grey level, drawn
anew for every training batch; validation and test images are drawn once, from a fixed seed. Every system is trained
for its stated rounds by one thread, goes back to the best of twenty looks at the validation split, and costs the
10,000 test images: exactly, or by importance weighting of 128 codes. Systems that are compared have the same networks,
seed, batches and rounds, and their difference is paired by test image. Intervals are over test images, 95%: they tell
nothing of seeds, of which there is one. What was measured with the same settings on the same data isn't measured again.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import adversaria as adv
from adversaria.claims.check import Trial
from adversaria.claims.held import cost, trained
from adversaria.data import Dataset, load
from adversaria.metrics.estimate import Z95
from adversaria.zoo.page import markdown

FALLING = {"adam": {"lr": 1e-3, "clip": 200.0, "schedule": "cosine"}}
WIDE: dict[str, Any] = {"network": "mlp", "hidden": 500, "depth": 2, "latent": 40, **FALLING}
SHALLOW: dict[str, Any] = {"latents": (50,), "hidden": 200, "depth": 2, **FALLING}
SYSTEMS: dict[str, dict[str, Any]] = {
    "vae": {**WIDE, "rounds": 60_000},
    "vae-iaf": {**WIDE, "flow_hidden": 320, "steps": 4, "rounds": 60_000},
    "nade": {"hidden": 500, "adam": {"lr": 1e-3, "decay": 1e-2, "schedule": "linear"}, "rounds": 10_000},
    "iwae, k = 1": {**SHALLOW, "k": 1, "rounds": 5_000},
    "iwae, k = 50": {**SHALLOW, "k": 50, "rounds": 5_000},
    "pixelcnn": {"width": 32, "layers": 7, "batch": 16, "rounds": 60_000},
    "gated-pixelcnn": {"width": 24, "layers": 7, "batch": 16, "rounds": 20_000},
    "pixelrnn": {"units": 16, "layers": 2, "batch": 16, "rounds": 10_000},
}
BELOW = {"vae-iaf": "vae", "iwae, k = 50": "iwae, k = 1"}
"""Which system is claimed to cost less than which."""
PUBLISHED = {
    "vae": "81.08 (ResNet)", "vae-iaf": "79.10 (ResNet, 8 steps of 1,920)", "nade": "88.33 (static)",
    "iwae, k = 1": "86.76", "iwae, k = 50": "84.78", "pixelcnn": "81.30 (static)",
    "gated-pixelcnn": "80.10 (static)", "pixelrnn": "79.20 (static, 7 layers)",
}  # fmt: skip
"""arXiv:1606.04934 (vae, vae-iaf), 1605.02226, 1509.00519, 1611.05013 (PixelCNN and its own gated one), 1601.06759."""


def measured(label: str, data: Dataset) -> tuple[dict[str, Any], np.ndarray]:
    """A system's numbers, and what every test image costs it (n,)."""
    recipe = adv.recipe(label.partition(",")[0], **SYSTEMS[label])
    started = time.process_time(), time.time()
    with tempfile.TemporaryDirectory() as folder:
        game, best = trained(Trial(0, data.name, Path(folder)), recipe, data)
    seconds = time.process_time() - started[0], time.time() - started[1]
    found = cost(game, data, data.size("test"))
    assert found.on_reference is not None, "every image has a finite likelihood"
    numbers = {
        "nll": found.value, "error": found.error, "kind": found.protocol["kind"], "n": found.n, "data": data.name,
        "fingerprint": data.fingerprint, "seed": 0, "setting": setting_of(label), "best round": best,
        "seconds": [round(s, 1) for s in seconds], "ess": found.details.get("ess_median"),
        "parameters": sum(p.numel() for p in game.networks.parameters()),
    }  # fmt: skip
    return numbers, (found.value + found.on_reference).astype("float32")


HEAD = """# MNIST within an hour

Negative log-likelihoods in nats of the 10,000 test images of MNIST, dynamically binarised (test images drawn once, from
a fixed seed). Written by `python benchmarks/mnist_hour.py --data PATH` from `results/mnist-hour/`; nobody edits it by
hand. One seed, one thread; ± and intervals are 95% over test images. A difference is paired by test image, between
systems with the same networks, batches and rounds: rounds with more samples take longer, and a few thousand are early
in training. Published numbers are of the papers' own networks, much longer trained, and test images, the same pixels
for everyone where they are static: arXiv:1606.04934 (vae and vae-iaf), 1605.02226 (nade), 1509.00519 (iwae), 1611.05013
(pixelcnn, and its own gated one) and 1601.06759 (pixelrnn).
"""


def setting_of(label: str) -> dict[str, Any]:
    """Its hyperparameters, as JSON has them."""
    found: dict[str, Any] = json.loads(json.dumps(SYSTEMS[label]))
    return found


def name_of(label: str) -> str:
    """Of its file."""
    return label.replace(", ", "-").replace(" = ", "")


def page(folder: Path) -> str:
    """Markdown of what was measured so far."""
    rows = [["", "nats", "kind", "less what it is compared with", "rounds", "minutes", "settings", "published"]]
    for label in SYSTEMS:
        if not (folder / f"{name_of(label)}.json").exists():
            continue
        m, _ = kept(folder, label)
        minutes = " / ".join(f"{s / 60:.0f}" for s in m["seconds"])
        rows.append([label, f"{m['nll']:.2f} ± {Z95 * m['error']:.2f}", m["kind"], less(folder, label),
                     f"{m['setting']['rounds']:,}", minutes, told(m["setting"]), PUBLISHED.get(label, "")])  # fmt: skip
    table = "\n".join(markdown(rows))
    return f"{HEAD}\n{table}\n\nMinutes are those of the processor, and those by the clock.\n"


def told(setting: dict[str, Any]) -> str:
    """Hyperparameters on one line, without the optimiser and the rounds."""
    return ", ".join(f"{name} {value}" for name, value in setting.items() if name not in ("adam", "rounds"))


def less(folder: Path, label: str) -> str:
    """The difference from what the label is claimed to be below, with its paired interval; empty without."""
    other = BELOW.get(label, "")
    if not other or not (folder / f"{name_of(other)}.json").exists():
        return ""
    (ours, each), (its, others) = kept(folder, label), kept(folder, other)
    alike = [(m["fingerprint"], m["n"], m["seed"], m["setting"]["rounds"]) for m in (ours, its)]
    if alike[0] != alike[1]:
        return ""
    gap = each.astype("float64") - others
    return f"{gap.mean():+.2f} ± {Z95 * gap.std(ddof=1) / len(gap) ** 0.5:.2f} ({other})"


def kept(folder: Path, label: str) -> tuple[dict[str, Any], np.ndarray]:
    """What was measured."""
    with np.load(folder / f"{name_of(label)}.npz") as file:
        return json.loads((folder / f"{name_of(label)}.json").read_text()), file["nats"]


def main() -> None:
    """Measures what isn't there and writes files and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--systems", default=";".join(SYSTEMS))
    parser.add_argument("--out", type=Path, default=Path("results/mnist-hour"))
    parser.add_argument("--page", type=Path, default=Path("docs/mnist-hour.md"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    data = load(asked.data, binarise="dynamic")
    for label in filter(None, asked.systems.split(";")):
        path = asked.out / f"{name_of(label)}.json"
        wanted = {"fingerprint": data.fingerprint, "setting": setting_of(label)}
        if path.exists() and all(json.loads(path.read_text()).get(k) == v for k, v in wanted.items()):
            print(f"{label}: kept")
            continue
        numbers, each = measured(label, data)
        np.savez_compressed(path.with_suffix(".npz"), nats=each)
        path.write_text(json.dumps(numbers, indent=1) + "\n")
        print(f"{label}: {numbers['nll']:.2f} ± {Z95 * numbers['error']:.2f} nats, {numbers['seconds']} s", flush=True)
    asked.page.parent.mkdir(parents=True, exist_ok=True)
    asked.page.write_text(page(asked.out))
    print(f"wrote {asked.page}")


if __name__ == "__main__":
    main()
