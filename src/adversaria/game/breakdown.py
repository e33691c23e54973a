"""When skipping a move that isn't finite no longer helps."""

import torch

from adversaria.errors import UserError
from adversaria.game.player import Terms
from adversaria.game.stage import Stage


class NonFiniteError(UserError):
    """A player's loss or gradient was not finite for too many moves in a row."""


def breakdown(stage: Stage, terms: Terms, strikes: int, patience: int) -> str:
    """What is broken and what to do, where play can't go on; an empty text where the move may just be skipped."""
    looked_through = [module for everyone in stage.players for module in everyone.owns]
    if any(not torch.isfinite(buffer).all() for module in looked_through for buffer in module.buffers()):
        cause = "a network's running statistics are no longer finite"
    elif strikes >= patience:
        cause = f"{strikes} moves in a row were not finite"
    else:
        return ""
    broken = [name for name, term in terms.items() if not torch.isfinite(term)] or ["its gradient"]
    return f"{cause} (not finite: {', '.join(broken)}); lower its learning rate or bound its gradient (clip)"
