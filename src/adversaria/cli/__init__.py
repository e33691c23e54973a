"""The shell's side: one file a verb. Nothing here imports torch before it is needed."""

import os
import sys
from importlib import import_module

from adversaria._version import __version__
from adversaria.errors import UserError, unknown

VERBS = {
    "list": "every recipe: name, family, year, one line",
    "show": "a recipe: equations, hyperparameters, players, departures, citation",
    "train": "train a recipe on data:  adversaria train dcgan --data digits --out runs/a",
    "resume": "go on with a run that was stopped, or extend it:  adversaria resume runs/a --rounds 4000",
    "sample": "draw from a trained run:  adversaria sample runs/a -n 64 --out samples.png",
    "evaluate": "numbers with error bars:  adversaria evaluate runs/a, or samples.npz --data digits, or --controls",
    "diagnose": "verdicts in words, with their evidence:  adversaria diagnose runs/a",
    "compare": "runs in one table and page:  adversaria compare runs/a runs/b, or --recipes gan,vae --data digits",
    "latent": "paths, sums, traversals, inversion of codes:  adversaria latent runs/a interpolate --pairs 6",
    "complete": "hide a part of examples and have it drawn:  adversaria complete runs/a --hide bottom",
    "compress": "examples as short as the likelihood promises:  adversaria compress runs/a --of test -n 100",
    "decompress": "and back, bit for bit:  adversaria decompress runs/a runs/a/test.adv",
    "check": "what must be true of a model, tried on a tiny copy:  adversaria check runs/a, or ./my_gan.py",
    "report": "write runs/a/report.html:  adversaria report runs/a",
    "zoo": "the claims of every recipe, measured over seeds:  adversaria zoo list, zoo verify dcgan --quick",
    "lab": "claims of lectures as experiments:  adversaria lab list, lab run parallel-lines --quick",
    "new": "write a recipe of your own:  adversaria new my-gan --from wgan-gp",
    "cite": "a recipe's BibTeX entry",
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; returns the exit code: 0, or 2 for a mistake that the message tells how to mend."""
    given = sys.argv[1:] if arguments is None else arguments
    # Threads that wait should sleep: where other programs share the cores, spinning ones stall each other (5 x slower).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        if not given or given[0] in ("-h", "--help", "help"):
            print(usage())
            return 0
        if given[0] in ("-V", "--version"):
            print(f"adversaria {__version__}")
            return 0
        if given[0] not in VERBS:
            raise unknown("command", given[0], VERBS, "see 'adversaria --help'")
        code: int = import_module(f"adversaria.cli.{given[0]}").run(given[1:])
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"adversaria: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, as in `adversaria list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("adversaria: interrupted", file=sys.stderr)
        return 130


def usage() -> str:
    """The help page."""
    verbs = "\n".join(f"  {verb:<10} {meaning}" for verb, meaning in VERBS.items())
    return (
        "usage: adversaria COMMAND [...]\n\n"
        "Learn generative models by likelihood, by variational inference and by adversarial play.\n\n"
        f"{verbs}\n\n'adversaria COMMAND --help' tells of a command's options. First steps:\n"
        "  adversaria train vae --data digits --out runs/first\n  adversaria sample runs/first -n 64"
    )
