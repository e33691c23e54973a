"""A game: networks, the stages played with them, and what the model can do."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from adversaria.errors import UserError, unknown
from adversaria.game.averages import Average
from adversaria.game.player import Player
from adversaria.game.stage import Stage, check_coverage

Condition = Literal["label", "image"]


class Game(nn.Module):
    """Named networks, players, and the model's abilities.

    Abilities are functions a recipe passes in; `can(name)` tells which there are. All but `sample` are optional:

    | ability   | from                     | to                                                     |
    |-----------|--------------------------|--------------------------------------------------------|
    | sample    | n, or what it is given   | examples (n, *shape)                                   |
    | latent    | n                        | codes drawn from the prior (n, k)                      |
    | decode    | codes (n, k)             | examples (n, *shape)                                   |
    | encode    | examples                 | codes (n, k)                                           |
    | reconstruct | examples               | examples (n, *shape)                                   |
    | log_prob  | examples                 | exact log-likelihoods (n,) in nats                     |
    | bound     | examples                 | lower bounds on the log-likelihood (n,) in nats        |
    | score     | examples                 | a critic's logits (n,)                                 |
    | classify  | examples                 | logits of the classes (n, classes)                     |
    | infer     | examples                 | codes drawn from q(z given x) (n, k), and log q (n,)   |
    | posterior | examples                 | its mean and log sd (n, k) each, where it is normal    |
    | likelihood | examples, codes         | log p(x given z) (n,) in nats                          |
    | prior     | codes                    | log p(z) (n,) in nats                                  |
    | tokens    | examples                 | indices in a codebook, long (n, ...)                   |
    | draw_tokens | n, or what it is given | indices drawn from the prior over them (n, ...)        |
    | token_law | indices (n, ...)         | log p of each index given those before it (n, d, size) |
    | complete  | examples, bool (*shape) | examples, as they were where it is true, drawn elsewhere |
    | dequantise | images                  | images between levels drawn from q (n, *shape), and log q (n,) |
    | law       | examples                | log p of every level of each number given those before it, (n, d, levels) |

    Numbers of a `law` lie as in `Alphabet.to_levels`; with `at=`, a place, it is that number's alone, (n, levels);
    one that doesn't take `at` is cut.
    `order` has their places (d,) from the first that the model draws to the last, () where that is as they lie. A
    conditional model's `sample` and `draw_tokens` take what it is given in place of n, and its `log_prob`, `complete`,
    `law` and `token_law` take that last: log p(x given y).

    Through the game they run without gradient, in evaluation mode and with averaged weights; `seed` makes them a
    function of their arguments.
    """

    def __init__(
        self,
        *players: Player,
        networks: Mapping[str, nn.Module],
        sample: Callable[..., Tensor],
        stages: Sequence[Stage] = (),
        averages: Mapping[str, float] | None = None,
        condition: Condition | None = None,
        latent: Callable[[int], Tensor] | None = None,
        decode: Callable[[Tensor], Tensor] | None = None,
        encode: Callable[[Tensor], Tensor] | None = None,
        reconstruct: Callable[[Tensor], Tensor] | None = None,
        log_prob: Callable[..., Tensor] | None = None,
        bound: Callable[[Tensor], Tensor] | None = None,
        score: Callable[[Tensor], Tensor] | None = None,
        classify: Callable[[Tensor], Tensor] | None = None,
        infer: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        posterior: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        likelihood: Callable[[Tensor, Tensor], Tensor] | None = None,
        prior: Callable[[Tensor], Tensor] | None = None,
        tokens: Callable[[Tensor], Tensor] | None = None,
        draw_tokens: Callable[[int | Tensor], Tensor] | None = None,
        token_law: Callable[..., Tensor] | None = None,
        complete: Callable[..., Tensor] | None = None,
        law: Callable[..., Tensor] | None = None,
        dequantise: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        order: Sequence[int] = (),
        codebook: int = 0,
    ) -> None:
        super().__init__()
        stages = tuple(stages) or (Stage(players),)
        self.networks = nn.ModuleDict(networks)
        check_coverage(networks, stages)
        for parameter in self.networks.parameters():
            # As its optimiser's state lies once it is read back: sums in another order would round otherwise.
            parameter.data = parameter.data.contiguous()
        self.averages = nn.ModuleDict()
        for name, decay in (averages or {}).items():
            if name not in networks:
                raise unknown("network in averages", name, networks)
            if decay:
                self.averages[name] = Average(networks[name], decay)
        kept = tuple(a for a in self.averages.values() if isinstance(a, Average))
        self.stages = tuple(replace(stage, averages=kept) for stage in stages)
        self.condition = condition
        if reconstruct is None and encode is not None and decode is not None:
            reconstruct = lambda x: decode(encode(x))  # noqa: E731
        self.codebook, self.order = codebook, order
        found: dict[str, Callable[..., Any] | None] = {
            "sample": sample, "latent": latent, "decode": decode, "encode": encode, "reconstruct": reconstruct,
            "log_prob": log_prob, "bound": bound, "score": score, "classify": classify, "infer": infer,
            "posterior": posterior, "likelihood": likelihood, "prior": prior, "tokens": tokens,
            "draw_tokens": draw_tokens, "token_law": token_law,
            "complete": complete, "law": law, "dequantise": dequantise,
        }  # fmt: skip
        self.abilities: dict[str, Callable[..., Any]] = {
            name: ability for name, ability in found.items() if ability is not None
        }
        self._resting: bool = False

    def can(self, ability: str) -> bool:
        """Whether the model has the ability."""
        return ability in self.abilities

    def stage(self, name: str | None = None) -> Stage:
        """The stage called `name`, or the only one."""
        if name is None and len(self.stages) == 1:
            return self.stages[0]
        names = [stage.name for stage in self.stages]
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise unknown("stage", str(name), names, f"this game has the stages {names}: game.stage('{names[0]}')")

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.parameters()).device

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Inside the block: no gradient, evaluation mode, averaged weights; afterwards all is as before.

        Blocks may lie in each other: the outermost one decides.
        """
        if self._resting:
            with torch.no_grad():
                yield
            return
        modes = [(module, module.training) for module in self.modules()]
        averages = [a for a in self.averages.values() if isinstance(a, Average)]
        self.eval()
        for average in averages:
            average.swap()
        self._resting = True
        try:
            with torch.no_grad():
                yield
        finally:
            self._resting = False
            for average in averages:
                average.swap()
            for module, mode in modes:
                module.training = mode

    def ask(self, ability: str, *arguments: Tensor | int, seed: int | None = None, **how: Any) -> Any:
        """What the ability answers, at rest.

        Raises:
            UserError: where the model doesn't have it.
        """
        if ability not in self.abilities:
            raise UserError(f"this model cannot {ability}; it can {', '.join(self.abilities)}")
        with self.at_rest(), seeded(seed):
            return self.abilities[ability](*arguments, **how)

    def sample(self, n: int, given: Tensor | None = None, seed: int | None = None) -> Tensor:
        """`n` examples of shape (n, *shape).

        Args:
            n: how many.
            given: labels (n,) or images (n, *shape), where the model is conditional on them.
            seed: makes the answer a function of the arguments; None goes on with the global generator.
        """
        drawn: Tensor = self.ask("sample", *(self._given(n, given) or (n,)), seed=seed)
        return drawn

    def _given(self, n: int, given: Tensor | None) -> tuple[Tensor, ...]:
        if self.condition is None:
            if given is not None:
                raise UserError("this model works without being given anything; leave given= out")
            return ()
        if given is None or len(given) != n:
            got = "none" if given is None else str(len(given))
            raise UserError(f"this model works given {self.condition}s; pass given= with {n} of them, got {got}")
        return (given.to(self.device),)

    def log_prob(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Exact log-likelihoods (n,) in nats; of x given labels (n,) where the model is conditional on them."""
        answer: Tensor = self.ask("log_prob", x, *self._given(len(x), given))
        return answer

    def law(self, x: Tensor, given: Tensor | None = None, at: int | None = None) -> Tensor:
        """log p of every level of each number given those before it in `order`, (n, d, levels), or of the number at one
        place alone, (n, levels); see `log_prob`."""
        ability = self.abilities.get("law")
        alone = at is not None and ability is not None and "at" in inspect.signature(ability).parameters
        answer: Tensor = self.ask("law", x, *self._given(len(x), given), **({"at": at} if alone else {}))
        return answer if at is None or alone else answer[:, at]

    def bound(self, x: Tensor, seed: int | None = None) -> Tensor:
        """Lower bounds on the log-likelihood (n,) in nats."""
        answer: Tensor = self.ask("bound", x, seed=seed)
        return answer

    def encode(self, x: Tensor, seed: int | None = None) -> Tensor:
        """Codes (n, k) of examples."""
        answer: Tensor = self.ask("encode", x, seed=seed)
        return answer

    def reconstruct(self, x: Tensor, seed: int | None = None) -> Tensor:
        """Examples (n, *shape) made again from what the model knows of `x`."""
        answer: Tensor = self.ask("reconstruct", x, seed=seed)
        return answer

    def decode(self, z: Tensor) -> Tensor:
        """Examples from codes (n, k)."""
        answer: Tensor = self.ask("decode", z)
        return answer

    def latent(self, n: int, seed: int | None = None) -> Tensor:
        """Codes (n, k) drawn from the prior."""
        answer: Tensor = self.ask("latent", n, seed=seed)
        return answer

    def complete(self, x: Tensor, known: Tensor, given: Tensor | None = None, seed: int | None = None) -> Tensor:
        """Examples (n, *shape) as `x` is where `known` (*shape) is true, drawn elsewhere; see `log_prob`.

        Raises:
            UserError: for a mask that isn't one of an example, or that splits a pixel's colours where the model draws
                whole pixels.
        """
        if known.shape != x.shape[1:]:
            raise UserError(f"known has shape {tuple(known.shape)} and an example {tuple(x.shape[1:])}; give one mask "
                            "of an example's shape, for all examples")  # fmt: skip
        answer: Tensor = self.ask("complete", x, known, *self._given(len(x), given), seed=seed)
        return answer

    def score(self, x: Tensor) -> Tensor:
        """A critic's logits (n,)."""
        answer: Tensor = self.ask("score", x)
        return answer

    def classify(self, x: Tensor) -> Tensor:
        """Logits of the classes (n, classes)."""
        answer: Tensor = self.ask("classify", x)
        return answer


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Inside the block torch's global generators start from `seed`; afterwards they are as before. None: no change."""
    if seed is None:
        yield
        return
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
