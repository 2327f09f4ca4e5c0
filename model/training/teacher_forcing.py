"""A whole clip in one forward: every chunk is denoised from the clean (or nearly clean) past.

Each chunk of each clip is a sample of the batch, twice: the noisy stream, which is trained, and
the clean stream, whose keys are what later chunks see (as in Self-Forcing's teacher-forcing mask,
arXiv 2506.08009, here by gathering, since a chunk sees a short window only). To the DiT this is
one more ``KeyStore``: it runs the forward that serving runs.

Legend: S streams (noisy, clean), B clips, C chunks, F latents of a clip, c latents of a chunk,
P past latents visible, T tokens of a latent, N heads, D head width.
"""

from collections.abc import Callable

import torch
from einops import rearrange, repeat
from torch import Tensor

from model.config import WorldConfig
from model.nn.conditioner import Modulation
from model.nn.rope import Rope, Table, rotate, world_rope


class ClipKeys:
    """The visible keys of all chunks of a batch of clips; the batch is ``(s b c)``, noisy first.

    A chunk sees the sink, the newest other latents of the clean stream, and itself, as through
    ``KVCache`` with a sliding sink (see there), and at the same distances.
    """

    def __init__(self, config: WorldConfig, clips: int, chunks: int, device: torch.device) -> None:
        rope = world_rope(config)
        self.clips, self.chunks, self.chunk = clips, chunks, config.chunk
        self.sink = config.sink
        chunk, latents = config.chunk, chunks * config.chunk
        past = config.window - chunk
        start = torch.arange(chunks, device=device)[:, None] * chunk
        slots = torch.arange(past, device=device)[None]
        newest = start - (past - config.sink) + slots - config.sink
        index_CP = torch.where(slots < config.sink, slots, newest)
        seen_CP = torch.where(slots < config.sink, slots < start, newest >= config.sink)
        self.index_CP = index_CP.clamp(0, latents - 1)
        tokens = config.tokens_per_latent
        own = torch.ones(chunks, chunk, dtype=torch.bool, device=device)
        visible = repeat(torch.cat([seen_CP, own], 1), "c k -> c (k t)", t=tokens)
        self.mask = repeat(visible, "c k -> (s b c) 1 1 k", s=2, b=clips)
        offset = (start + chunk - config.window).clamp(min=0)
        self.table = self._grid(rope, torch.arange(latents, device=device), tokens)
        sink_times = (offset + torch.arange(config.sink, device=device)).flatten()
        self.sink_table = self._grid(rope, sink_times, tokens)

    def __getitem__(self, layer: int) -> "ClipKeys":
        return self

    def rotate_queries(self, q_BNLD: Tensor) -> Tensor:
        """Queries turned to their latents' times."""
        return self._turn_chunks(q_BNLD, streams=2)

    def update(self, k_BNLD: Tensor, v_BNLD: Tensor) -> tuple[Tensor, Tensor]:
        """All that each chunk sees: the clean past, then itself."""
        k_BNLD = k_BNLD.to(v_BNLD.dtype)  # under autocast the norm's weight made it float32
        own = self._turn_chunks(k_BNLD, streams=2)
        past_k = self._past_keys(self._clean_latents(k_BNLD))
        past_v = self._gather(self._clean_latents(v_BNLD))
        return self._join(past_k, own), self._join(past_v, v_BNLD)

    @staticmethod
    def _grid(rope: Rope, times: Tensor, tokens: int) -> Table:
        cos, sin = rope.table(times)
        return cos.unflatten(0, (-1, tokens)), sin.unflatten(0, (-1, tokens))

    def _turn_chunks(self, x_BNLD: Tensor, streams: int) -> Tensor:
        fold = {"s": streams, "b": self.clips, "c": self.chunks, "f": self.chunk}
        latents = rearrange(x_BNLD, "(s b c) n (f t) d -> s b n (c f) t d", **fold)
        turned = rotate(latents, self.table)
        return rearrange(turned, "s b n (c f) t d -> (s b c) n (f t) d", c=self.chunks)

    def _clean_latents(self, x_BNLD: Tensor) -> Tensor:
        clean = x_BNLD[self.clips * self.chunks :]
        fold = {"b": self.clips, "c": self.chunks, "f": self.chunk}
        return rearrange(clean, "(b c) n (f t) d -> b (c f) n t d", **fold)

    def _past_keys(self, clean_BFNTD: Tensor) -> Tensor:
        turned = rotate(clean_BFNTD.transpose(1, 2), self.table).transpose(1, 2)
        past = self._gather(turned)
        sink = clean_BFNTD[:, : self.sink].repeat(1, self.chunks, 1, 1, 1)
        placed = rotate(sink.transpose(1, 2), self.sink_table).transpose(1, 2)
        placed = placed.unflatten(1, (self.chunks, self.sink))
        return torch.cat([placed, past[:, :, self.sink :]], dim=2)

    def _gather(self, clean_BFNTD: Tensor) -> Tensor:
        past = clean_BFNTD[:, self.index_CP.flatten()]
        return past.unflatten(1, self.index_CP.shape)

    def _join(self, past_BCPNTD: Tensor, own_BNLD: Tensor) -> Tensor:
        past = repeat(past_BCPNTD, "b c p n t d -> (s b c) n (p t) d", s=2)
        return torch.cat([past, own_BNLD], dim=2)


class BothStreams:
    """A ``Conditioner`` for one forward over ``ClipKeys``: both streams see the same camera."""

    def __init__(self) -> None:
        self._shared: Modulation | None = None

    def get(self, source: Tensor, block: int, compute: Callable[[], Modulation]) -> Modulation:
        """The block's scale and shift, doubled along the batch."""
        if block < 0:  # what all blocks share is not yet a modulation
            self._shared = self._shared or compute()
            return self._shared
        scale, shift = compute()
        return scale.repeat(2, 1, 1), shift.repeat(2, 1, 1)
