"""A running average of a network's weights, which is what gets shipped."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class EMA(Generic[Module]):
    """``module`` is a copy whose weights trail the trained network's.

    The average is young at first, so its decay warms up as (1 + n) / (10 + n) after n updates
    (TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``).
    """

    def __init__(self, trained: Module, decay: float) -> None:
        self.module = copy.deepcopy(trained).requires_grad_(False).eval()
        self.decay = decay
        self.updates = 0
        self._pairs = [
            (averaged, value.detach())
            for averaged, value in zip(
                self.module.state_dict().values(), trained.state_dict().values(), strict=True
            )
            if averaged.is_floating_point()
        ]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the trained network's weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged, values = zip(*self._pairs, strict=True)
        torch._foreach_lerp_(list(averaged), list(values), 1 - decay)
