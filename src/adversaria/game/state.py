"""The state of play as tensors and facts, and back: what a checkpoint holds."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from adversaria.errors import UserError
from adversaria.game.game import Game
from adversaria.game.referee import Referee


def capture(game: Game, referee: Referee) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that decides how play goes on, copied: networks, averages, optimisers, generators, position."""
    tensors = {f"game/{name}": value.clone() for name, value in game.state_dict().items()}
    for player, optimizer in referee.optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                if value is not None:
                    tensors[f"optimizer/{player}/{index}/{key}"] = torch.as_tensor(value).clone()
    tensors["generator/cpu"] = torch.get_rng_state()
    if torch.cuda.is_initialized():
        tensors["generator/cuda"] = torch.cuda.get_rng_state(game.device)
    facts = {
        "stage": referee.stage.name,
        "stage_round": referee.round,
        "draws": referee.draws,
        "images": referee.images,
        "slowdown": referee.slowdown,
        "strikes": dict(referee.strikes),
    }
    return tensors, facts


def restore_game(game: Game, tensors: Mapping[str, Tensor]) -> None:
    """Puts networks and averages back.

    Raises:
        UserError: where the tensors are not this game's.
    """
    own = {name.removeprefix("game/"): value for name, value in tensors.items() if name.startswith("game/")}
    expected = game.state_dict()
    wrong = [k for k in expected if k not in own or own[k].shape != expected[k].shape] + [
        k for k in own if k not in expected
    ]
    if wrong:
        raise UserError(
            f"the checkpoint doesn't fit this game: {len(wrong)} tensors differ, such as '{wrong[0]}'; "
            "was the recipe's file changed since?"
        )
    game.load_state_dict(own)


def restore(game: Game, referee: Referee, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Puts everything back as `capture` found it."""
    restore_game(game, tensors)
    for player, optimizer in referee.optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        prefix = f"optimizer/{player}/"
        for name, value in tensors.items():
            if name.startswith(prefix):
                index, key = name.removeprefix(prefix).split("/")
                state.setdefault(int(index), {})[key] = value.clone()  # the optimiser writes into it
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    referee.round, referee.draws, referee.images = facts["stage_round"], facts["draws"], facts["images"]
    referee.slowdown, referee.strikes = facts["slowdown"], dict(facts["strikes"])
    torch.set_rng_state(tensors["generator/cpu"])
    if "generator/cuda" in tensors and game.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["generator/cuda"], game.device)
