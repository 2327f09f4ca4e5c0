"""Self-attention over the visible keys and cross-attention to the prompt.

Legend: B batch, L tokens, N heads, D head width, T text rows.
"""

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from model.config import DiTConfig
from model.nn.kv_cache import VisibleKeys
from model.nn.layers import RMSNorm
from model.parallel.mesh import SequenceMesh


class Attention(nn.Module):
    """The four projections and two norms both attentions share (norms over the whole width)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        dim = config.dim
        self.num_heads = config.num_heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.o = nn.Linear(dim, dim)
        self.norm_q = RMSNorm(dim, config.eps)
        self.norm_k = RMSNorm(dim, config.eps)

    def _heads(self, x: Tensor) -> Tensor:
        return rearrange(x, "b l (n d) -> b l n d", n=self.num_heads)


class SelfAttention(Attention):
    """Attention of a chunk to everything its ``VisibleKeys`` show."""

    def forward(self, x_BLC: Tensor, kv: VisibleKeys, mesh: SequenceMesh, length: int) -> Tensor:
        """Attend; ``length`` is the chunk's whole token count, ``x`` this rank's share of it."""
        q_BLND = mesh.scatter_heads(self._heads(self.norm_q(self.q(x_BLC))), length)
        q = kv.rotate_queries(q_BLND.transpose(1, 2))
        k, v = self.write(x_BLC, kv, mesh, length)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=kv.mask)
        out_BLND = mesh.gather_heads(seen.transpose(1, 2), length)
        out: Tensor = self.o(out_BLND.flatten(2))
        return out

    def write(
        self, x_BLC: Tensor, kv: VisibleKeys, mesh: SequenceMesh, length: int
    ) -> tuple[Tensor, Tensor]:
        """Put this chunk's keys and values where later chunks find them; return all visible."""
        k_BLND = mesh.scatter_heads(self._heads(self.norm_k(self.k(x_BLC))), length)
        v_BLND = mesh.scatter_heads(self._heads(self.v(x_BLC)), length)
        return kv.update(k_BLND.transpose(1, 2), v_BLND.transpose(1, 2))


class CrossAttention(Attention):
    """Attention to the prompt; its keys and values are made once a prompt."""

    def keys(self, text_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values ``[B, N, T, D]`` of an embedded prompt."""
        k = self._heads(self.norm_k(self.k(text_BTC))).transpose(1, 2)
        v = self._heads(self.v(text_BTC)).transpose(1, 2)
        return k, v

    def forward(self, x_BLC: Tensor, keys: tuple[Tensor, Tensor]) -> Tensor:
        """Attend to all rows, padding included, as the official model does."""
        q = self._heads(self.norm_q(self.q(x_BLC))).transpose(1, 2)
        seen = functional.scaled_dot_product_attention(q, *keys)
        out: Tensor = self.o(rearrange(seen, "b n l d -> b l (n d)"))
        return out
