"""Clips as the DiT is trained on them: rendered, encoded and kept on the device.

Legend: N clips, L latents, C channels, h w latent rows and columns, T text tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.camera.pose import frame_deltas
from model.config import WorldConfig
from model.nn.vae import CausalVAE
from model.training.clips import Clips

ENCODE_BATCH = 20


@dataclass(frozen=True)
class Batch:
    """Clips for one step: standardised latents, camera deltas, two prompts and their switch."""

    latents_BCLhw: Tensor
    deltas_BL44: Tensor
    tokens_B2T: Tensor
    switch_B: Tensor
    """First latent that the second prompt belongs to."""

    def take(self, index: Tensor) -> "Batch":
        """Some of the clips."""
        return Batch(
            self.latents_BCLhw[index],
            self.deltas_BL44[index],
            self.tokens_B2T[index],
            self.switch_B[index],
        )


class Pool:
    """A ring of encoded clips, refilled with fresh ones while training goes on."""

    def __init__(
        self,
        config: WorldConfig,
        vae: CausalVAE,
        tokens: Callable[[list[str]], Tensor],
        sample: Callable[[int], Clips],
    ) -> None:
        self._config, self._vae, self._tokens, self._sample = config, vae, tokens, sample
        self._clips: Batch | None = None
        self._next = 0
        self.rendered = 0

    def fill(self, count: int) -> None:
        """Start with ``count`` clips."""
        parts = [self.encode(self._sample(n)) for n in _portions(count)]
        self._clips = Batch(
            torch.cat([part.latents_BCLhw for part in parts]).bfloat16(),
            torch.cat([part.deltas_BL44 for part in parts]),
            torch.cat([part.tokens_B2T for part in parts]),
            torch.cat([part.switch_B for part in parts]),
        )
        self.rendered = count

    def refresh(self, count: int) -> None:
        """Replace the oldest ``count`` clips."""
        kept = self._kept()
        new = self.encode(self._sample(count))
        at = (self._next + torch.arange(count)) % len(kept.switch_B)
        kept.latents_BCLhw[at] = new.latents_BCLhw.to(kept.latents_BCLhw.dtype)
        kept.deltas_BL44[at] = new.deltas_BL44
        kept.tokens_B2T[at] = new.tokens_B2T
        kept.switch_B[at] = new.switch_B
        self._next = int(at[-1]) + 1
        self.rendered += count

    def draw(self, count: int) -> Batch:
        """Random clips of the pool, latents in float32."""
        kept = self._kept()
        index = torch.randint(len(kept.switch_B), (count,), device=kept.switch_B.device)
        batch = kept.take(index)
        return Batch(
            batch.latents_BCLhw.float(), batch.deltas_BL44, batch.tokens_B2T, batch.switch_B
        )

    @torch.no_grad()
    def encode(self, clips: Clips) -> Batch:
        """Rendered clips to latents and what goes with them."""
        device = clips.frames.device
        latents = []
        for frames in clips.frames.split(ENCODE_BATCH):
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                pixels = frames.transpose(1, 2).float() / 127.5 - 1
                latents.append(self._vae.encode(pixels)[0].float())
        ids = [self._tokens(prompts) for prompts in (clips.captions_before, clips.captions_after)]
        return Batch(
            torch.cat(latents),
            latent_deltas(clips.c2w_BF44, self._config).to(device),
            torch.stack(ids, dim=1).to(device),
            clips.switch_B.to(device),
        )

    def _kept(self) -> Batch:
        if self._clips is None:
            raise RuntimeError("fill the pool first")
        return self._clips


def latent_deltas(c2w_BF44: Tensor, config: WorldConfig) -> Tensor:
    """Each latent's pose seen from the one before, float32 ``[B, L, 4, 4]``, as when served."""
    poses = c2w_BF44[:, :: config.time_stride].double().cpu().numpy()
    deltas = [frame_deltas(clip, None, config.world_scale) for clip in poses]
    return torch.from_numpy(np.stack(deltas).astype(np.float32))


def _portions(count: int, most: int = 100) -> list[int]:
    full, rest = divmod(count, most)
    return [most] * full + [rest] * (rest > 0)
