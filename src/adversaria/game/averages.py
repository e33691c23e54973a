"""Exponential moving averages of networks, swapped in for sampling."""

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """A running average w̄ of a network's weights w: w̄ <- β w̄ + (1 - β) w, once a round.

    Early rounds use β = min(decay, (1 + t) / (10 + t)), so that the average forgets the initial weights. Running
    statistics are averaged like weights, other buffers are copied: the mean of singular vectors is none, nor is that of
    reference batches. The state lives in buffers:
    it is saved with the game and moves with it between devices.
    """

    count: Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}; an average's decay lies in [0, 1)")
        self.decay = decay
        self._network = [network]  # in a list, so that it is not registered a second time
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        for i, value in enumerate(self._live()):
            self.register_buffer(f"value_{i}", value.detach().clone())

    def _live(self) -> list[Tensor]:
        network = self._network[0]
        return [*network.parameters(), *network.buffers()]

    def _kept(self) -> list[Tensor]:
        return [self.get_buffer(f"value_{i}") for i in range(len(self._live()))]

    def follows(self, parameters: set[int]) -> bool:
        """Whether any of the network's parameters has its id among `parameters`."""
        return any(id(p) in parameters for p in self._network[0].parameters())

    @torch.no_grad()
    def update(self) -> None:
        """One step of the average."""
        t = int(self.count)
        self.count += 1
        decay = min(self.decay, (1 + t) / (10 + t))
        pairs = list(zip(self._kept(), self._live(), strict=True))
        copied = {id(b) for name, b in self._network[0].named_buffers() if "running_" not in name}
        moved = [(kept, live.detach()) for kept, live in pairs if id(live) not in copied]
        torch._foreach_lerp_([kept for kept, _ in moved], [live for _, live in moved], 1 - decay)
        for kept, live in pairs:
            if id(live) in copied:
                kept.copy_(live)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges the network's weights with the averaged ones; a second call takes it back."""
        if not int(self.count):
            return
        for kept, live in zip(self._kept(), self._live(), strict=True):
            held = live.detach().clone()
            live.copy_(kept)
            kept.copy_(held)
