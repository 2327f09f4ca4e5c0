"""Small parts of the DiT.

Legend: B batch, C channels, F latents, h w latent rows and columns, L tokens, D width, P patch.
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis, computed in float32, then cast and weighted."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Norm ``x [..., dim]``."""
        normed = functional.rms_norm(x.float(), x.shape[-1:], eps=self.eps)
        return normed.to(x.dtype) * self.weight


def layer_norm(x: Tensor, eps: float) -> Tensor:
    """LayerNorm without weights over the last axis, in float32 whatever the input."""
    return functional.layer_norm(x.float(), x.shape[-1:], eps=eps)


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Adaptive norm's affine: ``x (1 + scale) + shift`` (DiT, arXiv 2212.09748)."""
    return torch.addcmul(shift, x, 1 + scale)


def patchify(x_BCFhw: Tensor, patch: int) -> Tensor:
    """Latents -> tokens ``[B, L, C*P*P]`` by latent, row, column; a patch is (channel, dy, dx)."""
    return rearrange(x_BCFhw, "b c f (h p) (w q) -> b (f h w) (c p q)", p=patch, q=patch)


def unpatchify(x_BLC: Tensor, frames: int, rows: int, patch: int) -> Tensor:
    """Tokens -> latents ``[B, C, F, h, w]``; a token holds (dy, dx, channel)."""
    return rearrange(
        x_BLC, "b (f h w) (p q c) -> b c f (h p) (w q)", f=frames, h=rows, p=patch, q=patch
    )


def sinusoid(timestep_B: Tensor, dim: int) -> Tensor:
    """Timesteps (0..1000) -> ``[B, dim]`` cosines then sines of ``t 10000^(-2i/dim)``, in float64.

    The official ``sinusoidal_embedding_1d`` of ``wan/modules/model.py``.
    """
    half = dim // 2
    rates = 10_000.0 ** (-torch.arange(half, dtype=torch.float64, device=timestep_B.device) / half)
    angles = timestep_B.to(torch.float64)[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=-1).float()
