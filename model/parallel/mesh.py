"""Ulysses sequence parallelism as a value the forward is handed.

Legend: B batch, L tokens, N heads, D head width.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SequenceMesh:
    """The ranks that share one sequence; ``SequenceMesh()`` is one rank, whose moves do nothing.

    Tokens are sharded between attentions; inside an attention each rank holds the whole sequence
    for its share of the heads (DeepSpeed-Ulysses, arXiv 2309.14509).
    """

    rank: int = 0
    size: int = 1

    def shard(self, x: Tensor, dim: int) -> Tensor:
        """This rank's slice of ``x`` along ``dim``."""
        return x

    def gather(self, x: Tensor, length: int, dim: int) -> Tensor:
        """The whole of ``length`` along ``dim``, in order, from every rank's slice."""
        return x

    def scatter_heads(self, x_BLND: Tensor, length: int) -> Tensor:
        """Sequence-sharded, all heads -> all ``length`` tokens, this rank's heads."""
        return x_BLND

    def gather_heads(self, x_BLND: Tensor, length: int) -> Tensor:
        """All ``length`` tokens, this rank's heads -> sequence-sharded, all heads."""
        return x_BLND
