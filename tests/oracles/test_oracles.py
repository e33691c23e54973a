"""Oracles hold for every recipe, and each of them fails for a model that is wrong in its way."""

import math
import re

import pytest
import torch
from torch import nn

from adversaria import catalogue
from adversaria.cli import main
from adversaria.density import LOGISTIC, NORMAL, flow_game
from adversaria.distributions import log_normal
from adversaria.evidence import gaussian, latent_game, standard
from adversaria.game import Adam, Game, Player
from adversaria.nn.dequantise import Dequantised
from adversaria.nn.flows import Composite, Flow, Rows, Scaling
from adversaria.nn.mlp import MLP
from adversaria.nn.multiscale import Convolutions
from adversaria.nn.observation import Observation
from adversaria.oracles import findings
from adversaria.ordered import alphabet, ordered_game

NAMES = [name for name, entry in catalogue.entries().items() if entry.family != "adversarial"]
NAMES += ["gan", "cgan", "ali", "avb"]


@pytest.mark.parametrize("name", NAMES)
def test_all_oracles_that_can_be_tried_hold(name):
    recipe = catalogue.make(name, "smoke")
    found = list(findings(recipe.build, recipe.KINDS, recipe.spec_for))
    assert found and [f for f in found if f.state != "holds"] == []
    tried = {f.oracle for f in found}
    family = catalogue.find(name).family
    expected = {
        "autoregressive": {"sums to one", "sampler"},
        "flow": {"inverse"},
        "variational": {"observation", "prior", "posterior", "bounds", "bound"},
        "quantised": {"tokens", "sums to one", "sampler", "never looks ahead"},
    }
    assert tried >= expected.get(family, set()) | {"kind and seed"}
    if family == "flow":
        assert tried >= {"Jacobian", "prior"} | ({"mass", "entropy"} if "points" in recipe.KINDS else set())
        assert tried >= {"dequantisation", "bound"} or "image" not in recipe.KINDS
    if "image" in recipe.KINDS and family in expected:
        assert [f for f in found if "256 levels" in f.data and f.oracle != "kind and seed"]


def failing(make, kind, seed=0):
    return {f.oracle for f in findings(make, (kind,), seed=seed) if f.state == "fails"}


class Ahead(nn.Module):
    """Row i of its output sees number i."""

    def __init__(self, d):
        super().__init__()
        self.W = nn.Parameter(torch.randn(d, d))

    def forward(self, line):
        return (line.to(self.W.dtype) @ self.W)[..., None]


def test_a_model_that_looks_ahead_is_found_out():
    def make(spec):
        net, A = Ahead(spec.size), alphabet(spec)
        return ordered_game(net, A, net, Adam())

    assert {"sums to one", "never looks ahead"} <= failing(make, "binary")


class Triangle(Ahead):
    def forward(self, line):
        return (line.to(self.W.dtype) @ self.W.triu(1))[..., None]


def binary_game(spec, **wrong):
    net, A = Triangle(spec.size), alphabet(spec)
    game = ordered_game(net, A, net, Adam())
    for name, change in wrong.items():
        game.abilities[name] = change(game.abilities[name], net)
    return game


@pytest.mark.parametrize(
    ("wrong", "oracles"),
    [
        ({}, set()),
        # probabilities passed on as logits: defect 1 of the NADE of a popular library
        ({"law": lambda law, net: lambda x: torch.log_softmax(law(x).exp(), 2)}, {"never looks ahead"}),
        ({"log_prob": lambda f, net: lambda x: f(x) + 0.01}, {"sums to one", "never looks ahead"}),
        # samples of a model that was not trained
        ({"sample": lambda f, net: lambda n: torch.randint(0, 2, (n, 7)).double()}, {"sampler"}),
        ({"sample": lambda f, net: lambda n: f(n) + 0.25}, {"kind and seed"}),
    ],
)
def test_a_discrete_model_that_is_wrong_is_found_out(wrong, oracles):
    found = failing(lambda spec: binary_game(spec, **wrong), "binary")
    assert oracles <= found and (oracles or not found)


class Affine(Flow):
    """z = x exp(s) + t."""

    sign = 1.0

    def __init__(self, d):
        super().__init__()
        self.s, self.t = nn.Parameter(torch.tensor([0.5, -0.8])[:d]), nn.Parameter(torch.zeros(d))

    def forward(self, x):
        return x * self.s.exp() + self.t, self.sign * self.s.sum().expand(len(x))

    def inverse(self, z):
        return (z - self.t) * (-self.s).exp()


class WrongSign(Affine):
    """Its inverse is right, and its log determinant the negative in both directions."""

    sign = -1.0


class WrongInverse(Affine):
    def inverse(self, z):
        return (z - self.t) * (-0.5 * self.s).exp()


def test_an_affine_flow_holds():
    assert failing(lambda spec: flow_game(Affine(2), spec, Adam()), "points") == set()


@pytest.mark.parametrize(
    ("flow", "oracles"), [(WrongSign, {"Jacobian", "mass", "entropy"}), (WrongInverse, {"inverse", "entropy"})]
)
def test_a_flow_that_is_wrong_is_found_out(flow, oracles):
    assert oracles <= failing(lambda spec: flow_game(flow(2), spec, Adam()), "points")


def test_samples_from_another_prior_than_was_trained_are_found_out():
    """Defect 6: a NICE with a logistic prior that samples from a normal one."""

    def make(spec):
        game, other = (flow_game(Affine(2), spec, Adam(), base=base) for base in (LOGISTIC, NORMAL))
        game.abilities["sample"] = other.abilities["sample"]
        return game

    assert "entropy" in failing(make, "points")


def latent(spec, **wrong):
    E, G, p = MLP(7, 4, 8, 1), MLP(2, 7, 8, 1), Observation("binary", (7,))
    player = Player("model", (E, G), lambda batch: {"loss": E(batch.x).square().mean()}, Adam())
    game = latent_game(
        player, {"encoder": E, "decoder": G, "observation": p}, decoder=G, observation=p, prior=standard(2, G),
        infer=lambda x: gaussian(*E(x).chunk(2, 1)), encode=lambda x: E(x).chunk(2, 1)[0],
    )  # fmt: skip
    for name, change in wrong.items():
        game.abilities[name] = change(game.abilities[name])
    return game


@pytest.mark.parametrize(
    ("wrong", "oracle"),
    [
        ({"prior": lambda f: lambda z: f(z) + 0.5}, "prior"),
        ({"prior": lambda f: lambda z: log_normal(z, 0.0, 0.3)}, "prior"),
        ({"likelihood": lambda f: lambda x, z: 0.5 * f(x, z)}, "observation"),
        # a KL of a small weight, reported as if it were the bound: log q that isn't q's
        ({"infer": lambda f: lambda x: (lambda z, q: (z, 0.2 * q))(*f(x))}, "posterior"),
        # a flow's determinant left out
        ({"infer": lambda f: lambda x: (lambda z, q: (2 * z, q))(*f(x))}, "posterior"),
    ],
)
def test_a_latent_model_whose_parts_are_wrong_is_found_out(wrong, oracle):
    assert failing(latent, "binary") == set()
    assert oracle in failing(lambda spec: latent(spec, **wrong), "binary")


def test_what_breaks_is_a_finding_and_no_traceback():
    def make(spec):
        net = nn.Linear(2, 2)
        player = Player("model", (net,), lambda batch: {"loss": net(batch.x).mean()}, Adam())
        return Game(player, networks={"model": net}, sample=lambda n: torch.zeros(n, 3), log_prob=lambda x: 1 / 0)

    found = {f.oracle: f.told for f in findings(make, ("points",)) if f.state == "fails"}
    assert "ZeroDivisionError" in found["mass"] and "shape" in found["kind and seed"]
    (finding,) = findings(lambda spec: make(1 / 0), ("points",))
    assert (finding.oracle, finding.state, finding.told) == ("builds", "fails", "ZeroDivisionError: division by zero")


def test_at_a_shell(tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["check", "nade", "--out", str(page)]) == 0
    told = capsys.readouterr().out
    assert "nade, image 1x2x4, 2 levels:" in told and "oracles hold" in told and "never looks ahead" in told
    text = page.read_text()
    assert "<h1>nade</h1>" in text and "sums to one" in text and "src=" not in text
    for arguments, said in ((["nothing"], "unknown recipe"), (["nade", "--out", "no/such/page.html"], "no folder")):
        assert main(["check", *arguments]) == 2
        assert said in capsys.readouterr().err


def test_the_file_of_a_user_s_own_recipe_is_checked_and_fails_where_it_is_wrong(tmp_path, capsys):
    path = tmp_path / "my_flow.py"
    text = (catalogue.HERE / "flow" / "maf.py").read_text()
    path.write_text(text.replace("flow_game(flow, spec,", "wrong(flow_game(flow, spec,").replace(
        "average=self.average)", "average=self.average))") + WRONG)  # fmt: skip
    assert main(["check", str(path)]) == 1
    told = capsys.readouterr().out
    assert "fails           mass" in told and "holds           inverse" in told


COPIES = [
    ("flow/glow", "flow_game(Levels(", "flow_game(Wrong(", """
class Wrong(Levels):
    def forward(self, x):
        z, log_det = super().forward(x)
        return z, 0.9 * log_det
""", {"Jacobian"}, (), "image"),
    ("variational/vae", "-distortion - kl.sum(1)", "100 - distortion - kl.sum(1)", "", {"bound"}, (), "image"),
    ("variational/vae", "-distortion - kl.sum(1)", "100 - distortion - kl.sum(1)", "", {"bound"}, (), "points"),
    ("variational/vae", "Observation(spec.kind", "Wrong(spec.kind", """
class Wrong(Observation):
    def log_prob(self, x, output):
        return super().log_prob(x, output) + (self.law == "logistic") / 10
""", {"observation"}, ("--likelihood", "logistic"), "image"),
    ("autoregressive/nade", "outputs(line)).sum(1)", "outputs(line)).sum(1) + 50 * (spec.levels == 256)", "",
     {"sums to one", "never looks ahead"}, (), "image"),
    ("autoregressive/gated_pixelcnn", "lambda x: x[:, None], labels))", "lambda x: x[:, None], labels)).flip(1)", "",
     {"sampler"}, (), "image"),
    ("variational/iwae", "return q.draw(x)\n", "h, log_q = q.draw(x)\n            return h, 0.95 * log_q\n", "",
     {"posterior"}, ("--latents", "8", "4", "2"), "binary"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "right", "wrong", "more", "oracles", "options", "kind"), COPIES)
def test_a_copy_of_a_recipe_that_is_wrong_is_found_out(
    name, right, wrong, more, oracles, options, kind, tmp_path, capsys
):
    text = (catalogue.HERE / f"{name}.py").read_text()
    assert text.count(right) == 1
    start = text.index("@dataclass")
    text = (text[:start] + more + "\n\n" + text[start:]).replace(right, wrong)
    path = tmp_path / f"{name.split('/')[1]}_{len(more)}_{kind}.py"
    text = re.sub(r"    KINDS = .*", "", text)
    path.write_text(re.sub(r"(class .*\(Recipe\):\n.*\n)", rf'\1\n    KINDS = ("{kind}",)\n', text))
    assert main(["check", str(path), *options]) == 1
    told = capsys.readouterr().out
    assert set(re.findall(r"  fails           (.*?)  ", told)) == oracles


@pytest.mark.parametrize(("latents", "inference"), [((4, 3, 2), None), ((8, 4, 2), None), ((4, 3), "bottom-up")])
def test_posteriors_of_several_layers_are_tried_exactly(latents, inference):
    changed = {"latents": latents} | ({"inference": inference} if inference else {})
    recipe = catalogue.make("lvae" if inference else "iwae", "smoke", **changed)
    for seed in range(3):
        found = [f for f in findings(recipe.build, ("binary",), seed=seed) if f.oracle == "posterior"]
        assert [f.state for f in found] == ["holds"] and "of the noise behind" in found[0].told


def test_noise_of_another_density_than_is_told_is_found_out():
    class Wrong(Dequantised):
        def draw(self, x):
            u, log_q = super().draw(x)
            return u, 0.9 * log_q

    def make(spec, kind):
        noise = Convolutions(spec.shape[0], 2 * spec.shape[0], 4)
        flow = Composite([Rows(spec.shape), Scaling(spec.size)])
        return flow_game(flow, spec, Adam(), pixels=kind(noise, levels=spec.levels))

    assert failing(lambda spec: make(spec, Dequantised), "image") == set()
    assert failing(lambda spec: make(spec, Wrong), "image") == {"dequantisation"}


def test_a_bound_above_the_likelihood_is_found_out():
    def make(spec, more):
        game = binary_game(spec)
        game.abilities["bound"] = lambda x: game.abilities["log_prob"](x) + more
        return game

    assert failing(lambda spec: make(spec, 0.0), "binary") == set()
    assert failing(lambda spec: make(spec, 0.01), "binary") == {"bound"}


def test_codes_of_few_weights_can_t_be_tried_and_aren_t_said_to_fail():
    """Scales that differ by orders of magnitude, drawn by other noise than torch's functions."""

    def make(spec):
        def infer(f):
            def drawn(x):
                s = torch.empty(len(x), 1).normal_(0, 6)
                z = torch.cat([s, s.exp() * torch.empty(len(x), 1).normal_()], 1)
                return z, log_normal(s, 0.0, math.log(6)) + log_normal(z[:, 1:], 0.0, s)

            return drawn

        return latent(spec, infer=infer)

    found = {f.oracle: f.state for f in findings(make, ("binary",))}
    assert found["posterior"] == "can't be tried" and "fails" not in found.values()


def test_a_blind_spot_is_said_of_what_no_weights_see():
    for name, seed in (("gated-pixelcnn", 0), ("pixelrnn", 1)):
        recipe = catalogue.make(name, "smoke")
        found = findings(recipe.build, ("image",), seed=seed)
        told = {f.data: f.told for f in found if f.oracle == "never looks ahead"}
        assert told["image 3x2x2, 2 levels"] == "no law moves with later numbers; 66 of 66 pairs are seen"
    recipe = catalogue.make("multiscale-pixelcnn", "smoke")
    told = {f.data: f.told for f in findings(recipe.build, ("image",)) if f.oracle == "never looks ahead"}
    assert "25 of 28 pairs are seen, the rest under none of 8" in told["image 1x2x4, 2 levels"]


def test_samples_that_are_all_one_example_can_t_be_tried():
    def make(spec):
        game = binary_game(spec)
        game.abilities["log_prob"] = lambda x: torch.where(x.sum(1) == 0, 0.0, -torch.inf)
        game.abilities["sample"] = lambda n: torch.zeros(n, 7)
        return game

    found = {f.oracle: (f.state, f.told) for f in findings(make, ("binary",))}
    assert found["sampler"] == ("can't be tried", "of 10,000 samples nearly all are one example")


def test_where_nothing_can_be_tried_it_is_said_and_is_no_success(tmp_path, capsys):
    path = tmp_path / "my_vae.py"
    text = (catalogue.HERE / "variational" / "vae.py").read_text()
    path.write_text(text.replace('"""\n\n    latent:', '"""\n\n    KINDS = ("points",)\n\n    latent:', 1))
    assert main(["check", str(path), "--likelihood", "logistic"]) == 1
    assert "nothing could be tried: likelihood logistic of points data; take normal" in capsys.readouterr().out


WRONG = """

def wrong(game):
    right = game.abilities["log_prob"]
    game.abilities["log_prob"] = lambda x: right(x) + 1
    return game
"""


def test_the_page_of_a_run_lies_beside_it(tmp_path, capsys):
    import adversaria as adv

    adv.train(adv.recipe("planar", "smoke"), "ring8", out=tmp_path / "run")
    assert main(["check", str(tmp_path / "run")]) == 0
    assert "planar, points 2:" in capsys.readouterr().out
    assert (tmp_path / "run" / "check.html").stat().st_size > 1_000


def quantised(name="vq-vae", **wrong):
    def make(spec):
        game = catalogue.make(name, "smoke").build(spec)
        for ability, change in wrong.items():
            game.abilities[ability] = change(game.abilities[ability])
        return game

    return failing(make, "image")


@pytest.mark.parametrize("name", ["vq-vae", "gumbel-vae"])
def test_what_passes_a_codebook_beside_its_tokens_is_found_out(name):
    leak = quantised(name, reconstruct=lambda f: lambda x: f(x) + 0.1 * x)
    assert leak == {"tokens"}
    assert "tokens" in quantised(name, tokens=lambda f: lambda x: f(x) + 1)


def test_a_prior_over_tokens_that_is_wrong_is_found_out():
    def ahead(law):
        return lambda k: law(k.flip(1))

    assert "never looks ahead" in quantised(token_law=ahead)
    assert "sums to one" in quantised(token_law=lambda law: lambda k: law(k) - 0.01)
    assert quantised(draw_tokens=lambda draw: lambda n: draw(n).flip(2)) == {"sampler"}
    assert "tokens" in quantised(tokens=lambda f: lambda x: 1 / 0)
