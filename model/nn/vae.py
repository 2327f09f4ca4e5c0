"""The contract both video VAEs stand behind: the small world's and the official one.

Suffixes: B batch, C channels, F frames or latents (time), H rows, W columns.
"""

from typing import Protocol, TypeAlias

from torch import Tensor

TIME_STRIDE = 4
SPACE_STRIDE = 8

VAEState: TypeAlias = tuple[Tensor, ...]
"""What a causal VAE remembers of a clip's past: a value, opaque to all but the VAE that made it."""


class CausalVAE(Protocol):
    """A video autoencoder that never looks ahead, so a clip can be coded as it happens.

    Latent 0 is frame 0 alone, every later latent is four frames. Time is cut where the caller
    likes: calls that pass on each other's state give what one call for the whole clip gives, up
    to float rounding. A state is never written to, so several players can share one VAE, and a
    kept state can be continued more than once.
    """

    def encode(
        self, frames_BCFHW: Tensor, state: VAEState | None = None
    ) -> tuple[Tensor, VAEState]:
        """Turn frames [B, 3, F, H, W] in [-1, 1] into latents [B, 16, k, H/8, W/8].

        Latents are standardised by channel. At a clip's start (``state`` is None) F is 1 + 4 k',
        giving k' + 1 latents, and 4 k afterwards. Raises ValueError for any other F.
        """

    def decode(
        self, latents_BCFHW: Tensor, state: VAEState | None = None
    ) -> tuple[Tensor, VAEState]:
        """Turn latents [B, 16, k, h, w] into frames [B, 3, F, 8 h, 8 w], nominally in [-1, 1].

        F is 4 k - 3 at a clip's start (``state`` is None), 4 k afterwards.
        """
