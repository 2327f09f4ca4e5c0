"""Rotary positions over (time, row, column), interleaved pairs as in the official checkpoints.

Legend: B batch, N heads, L tokens, D head width.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from model.config import WorldConfig

Table = tuple[Tensor, Tensor]  # cosines and signed sines, [L, D] each


@dataclass(frozen=True)
class Rope:
    """Rotary embedding of a latent grid of ``rows`` x ``cols`` tokens.

    A head's ``D/2`` complex pairs are shared out as the official model does: ``D/2 - 2 (D//6)``
    to time, ``D//6`` each to row and column; within an axis the j-th pair turns by
    ``position * theta^(-2j/axis width)`` (RoFormer, arXiv 2104.09864). Angles are made on the fly
    in float64, so time has no horizon.
    """

    head_dim: int
    rows: int
    cols: int
    theta: float

    def table(self, times: Tensor) -> Table:
        """What ``rotate`` takes, ``[len(times)*rows*cols, D]`` float32, for latents at these times.

        ``times`` may be any real positions; it is handled in float64.
        """
        spatial = self.head_dim // 6
        temporal = self.head_dim // 2 - 2 * spatial
        device = times.device
        t = self._angles(times, temporal)
        h = self._angles(torch.arange(self.rows, device=device), spatial)
        w = self._angles(torch.arange(self.cols, device=device), spatial)
        grid = (len(t), self.rows, self.cols, -1)
        angles = torch.cat(
            [
                t[:, None, None].expand(grid),
                h[None, :, None].expand(grid),
                w[None, None, :].expand(grid),
            ],
            dim=-1,
        ).flatten(0, 2)
        sines = torch.stack([-angles.sin(), angles.sin()], dim=-1).flatten(-2)
        return angles.cos().repeat_interleave(2, dim=-1).float(), sines.float()

    def _angles(self, positions: Tensor, pairs: int) -> Tensor:
        exponents = torch.arange(pairs, dtype=torch.float64, device=positions.device) / pairs
        return positions.to(torch.float64)[:, None] * self.theta**-exponents


def world_rope(config: WorldConfig) -> Rope:
    """The rotary positions of a world's latent grid."""
    rows, cols = (size // config.dit.patch for size in (config.latent_height, config.latent_width))
    return Rope(config.dit.head_dim, rows, cols, config.dit.rope.theta)


def rotate(x_BNLD: Tensor, table: Table) -> Tensor:
    """Turn each pair (2j, 2j+1) of the last axis by its angle; the dtype of ``x`` is kept."""
    cosines, sines = table
    x = x_BNLD.float()
    crossed = rearrange(x, "... (d two) -> ... d two", two=2).flip(-1).flatten(-2)
    return torch.addcmul(x * cosines, crossed, sines).to(x_BNLD.dtype)
