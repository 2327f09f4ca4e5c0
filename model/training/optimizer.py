"""Muon for hidden matrices, AdamW for everything else, behind one ``step``.

Muon moves a weight matrix along the orthogonalised momentum of its gradient, so that every
direction of the matrix learns at the same pace (Jordan et al. 2024, "Muon: An optimizer for
hidden layers in neural networks", kellerjordan.github.io/posts/muon). ``torch.optim.Muon`` is
the same rule for one 2D matrix after another; here matrices of one shape are orthogonalised
in one batched call, which is what makes small networks worth it on a GPU, and convolution
kernels count as matrices [out, in * kernel].

Suffixes: N matrices of one shape, O rows (outputs), I columns (inputs).
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
ADAM_BETAS = (0.9, 0.98)


def orthogonalize(matrices_NOI: Tensor) -> Tensor:
    """Bring every singular value near 1 by Newton-Schulz steps, keeping singular vectors.

    The quintic's coefficients are Jordan's: steep at zero rather than exact at one, so five steps
    bring values from 1e-2 upwards to within about 0.7 ... 1.2. Runs in bfloat16 on CUDA, whose
    error is small beside that.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrices_NOI.bfloat16() if matrices_NOI.is_cuda else matrices_NOI
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT  # the Gram matrices below are then of the shorter side
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices_NOI.dtype)


class MuonAdamW:
    """Updates a module's parameters from their gradients; clip gradients before ``step``.

    ``is_hidden(name, parameter)`` chooses what Muon takes. ``adam_scale(name)`` multiplies the
    learning rate of what AdamW takes. Muon's updates are scaled to the size of AdamW's (0.2
    times the square root of the longer side: Liu et al. 2025, "Muon is scalable for LLM
    training", eq. 4), so that both share one learning rate. ``weight_decay`` is decoupled and
    acts on hidden matrices only.
    """

    def __init__(
        self,
        module: nn.Module,
        is_hidden: Callable[[str, Tensor], bool],
        *,
        adam_scale: Callable[[str], float] = lambda name: 1.0,
        weight_decay: float = 0.01,
    ) -> None:
        self.weight_decay = weight_decay
        by_shape: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        by_scale: dict[float, list[Tensor]] = defaultdict(list)
        for name, parameter in module.named_parameters():
            if is_hidden(name, parameter):
                by_shape[parameter.shape[0], parameter[0].numel()].append(parameter)
            else:
                by_scale[adam_scale(name)].append(parameter)
        self.hidden = list(by_shape.values())
        self.momentum_NOI = [
            torch.zeros(len(group), *shape, device=group[0].device)
            for shape, group in by_shape.items()
        ]
        groups = [{"params": group, "scale": scale} for scale, group in by_scale.items()]
        # Not fused=True: that kernel mixes up elements where gradient and parameter lie
        # differently in memory, as contiguous and channels-last kernels do.
        self.adam = torch.optim.AdamW(groups, betas=ADAM_BETAS, weight_decay=0.0, foreach=True)

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every parameter by one update at learning rate ``lr``."""
        for group in self.adam.param_groups:
            group["lr"] = lr * group["scale"]
        self.adam.step()
        for parameters, momentum_NOI in zip(self.hidden, self.momentum_NOI, strict=True):
            gradients = [parameter.grad for parameter in parameters]
            gradient_NOI = torch.stack([g.flatten(1) for g in gradients if g is not None])
            momentum_NOI.lerp_(gradient_NOI, 1 - MOMENTUM)
            ahead_NOI = gradient_NOI.lerp_(momentum_NOI, MOMENTUM)  # Nesterov's
            size = 0.2 * max(momentum_NOI.shape[1:]) ** 0.5
            updates = (orthogonalize(ahead_NOI) * size).unbind()
            torch._foreach_mul_(parameters, 1 - lr * self.weight_decay)
            torch._foreach_add_(
                parameters,
                [update.reshape(p.shape) for update, p in zip(updates, parameters, strict=True)],
                alpha=-lr,
            )

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self.adam.zero_grad()
        for parameters in self.hidden:
            for parameter in parameters:
                parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Everything a later run needs to go on exactly, as tensors and plain values."""
        return {"adam": self.adam.state_dict(), "momentum": self.momentum_NOI}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, which a module of the same parameters gave."""
        self.adam.load_state_dict(state["adam"])
        for momentum_NOI, saved_NOI in zip(self.momentum_NOI, state["momentum"], strict=True):
            momentum_NOI.copy_(saved_NOI)
