"""Keys and values of the latents a chunk may look at.

Legend: B batch, N heads, L tokens of the chunk, K tokens visible, D head width.
"""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from model.nn.rope import Rope, Table, rotate


class VisibleKeys(Protocol):
    """What one layer's self-attention asks for: its queries' positions, and all it may look at."""

    @property
    def mask(self) -> Tensor | None:
        """Which of the visible keys each query may see; ``None``: all."""
        ...

    def rotate_queries(self, q_BNLD: Tensor) -> Tensor:
        """Queries turned to their positions."""
        ...

    def update(self, k_BNLD: Tensor, v_BNLD: Tensor) -> tuple[Tensor, Tensor]:
        """Take the chunk's unrotated keys and values; give back all visible ones, rotated."""
        ...


class KeyStore(Protocol):
    """One ``VisibleKeys`` a layer."""

    def __getitem__(self, layer: int) -> VisibleKeys:
        """The keys of one layer."""
        ...


@dataclass
class Window:
    """Which latents are visible and where they lie; shared by all layers, all on the host.

    The first ``sink`` latents stay for ever. Behind them the slots form a ring: a new latent takes
    the place of the oldest, so nothing is ever moved, whatever part of a chunk is evicted
    (attention does not care about the order of its keys).
    """

    rope: Rope
    chunk: int
    size: int
    sink: int
    latents: int = 0
    """Latents sealed so far, the chunk in hand not counted."""
    _tables: dict[str, Table] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Tokens of one latent."""
        return self.rope.rows * self.rope.cols

    @property
    def visible(self) -> int:
        """How many latents the chunk in hand sees, itself included."""
        return min(self.latents + self.chunk, self.size)

    @property
    def sink_offset(self) -> int:
        """How far a sliding sink has moved: it lies right before the oldest other latent."""
        return self.latents + self.chunk - self.visible

    def slot(self, latent: int) -> int:
        """Where a latent's keys lie."""
        if latent < self.sink:
            return latent
        return self.sink + (latent - self.sink) % (self.size - self.sink)

    def chunk_table(self, device: torch.device) -> Table:
        """Rotation of the chunk in hand."""
        if "chunk" not in self._tables:
            times = torch.arange(self.latents, self.latents + self.chunk, device=device)
            self._tables["chunk"] = self.rope.table(times)
        return self._tables["chunk"]

    def sink_table(self, device: torch.device) -> Table:
        """Rotation of a sliding sink at its present place."""
        if "sink" not in self._tables:
            times = torch.arange(self.sink, device=device) + self.sink_offset
            self._tables["sink"] = self.rope.table(times)
        return self._tables["sink"]

    def move(self, latents: int) -> None:
        """Go to another place in the world."""
        self.latents = latents
        self._tables.clear()


class LayerKeys:
    """One layer's keys (rotated) and values, written in place slot by slot."""

    mask: Tensor | None = None

    def __init__(self, window: Window, sliding_sink: bool) -> None:
        self._window = window
        self._sliding_sink = sliding_sink
        self._keys: Tensor | None = None
        self._values: Tensor | None = None
        self._sink_keys: Tensor | None = None
        self._sink_placed = 0

    @property
    def bytes(self) -> int:
        """Memory held."""
        held = (self._keys, self._values, self._sink_keys)
        return sum(t.numel() * t.element_size() for t in held if t is not None)

    def rotate_queries(self, q_BNLD: Tensor) -> Tensor:
        """Queries of the chunk in hand turned to their times."""
        return rotate(q_BNLD, self._window.chunk_table(q_BNLD.device))

    def update(self, k_BNLD: Tensor, v_BNLD: Tensor) -> tuple[Tensor, Tensor]:
        """Write the chunk's unrotated keys and values; return all visible ones ``[B, N, K, D]``."""
        window = self._window
        keys, values = self._buffers(k_BNLD)
        rotated = rotate(k_BNLD, window.chunk_table(k_BNLD.device))
        for i in range(window.chunk):
            own = slice(i * window.tokens, (i + 1) * window.tokens)
            start = window.slot(window.latents + i) * window.tokens
            keys[:, :, start : start + window.tokens] = rotated[:, :, own]
            values[:, :, start : start + window.tokens] = v_BNLD[:, :, own]
        if self._sliding_sink:
            self._slide_sink(keys, k_BNLD)
        end = window.visible * window.tokens
        return keys[:, :, :end], values[:, :, :end]

    def _buffers(self, like_BNLD: Tensor) -> tuple[Tensor, Tensor]:
        if self._keys is None or self._values is None:
            batch, heads, _, dim = like_BNLD.shape
            shape = (batch, heads, self._window.size * self._window.tokens, dim)
            self._keys, self._values = like_BNLD.new_zeros(shape), like_BNLD.new_zeros(shape)
            self._sink_keys = like_BNLD.new_zeros(
                (batch, heads, self._window.sink * self._window.tokens, dim)
            )
        return self._keys, self._values

    def _slide_sink(self, keys: Tensor, k_BNLD: Tensor) -> None:
        """Note the sink's unrotated keys as they are written; turn them when the window moves."""
        window, raw = self._window, self._sink_keys
        assert raw is not None
        start = window.latents * window.tokens
        if start < raw.shape[2]:
            new = k_BNLD[:, :, : raw.shape[2] - start]
            raw[:, :, start : start + new.shape[2]] = new
            self._sink_placed = 0
        if window.sink_offset != self._sink_placed:
            keys[:, :, : raw.shape[2]] = rotate(raw, window.sink_table(raw.device))
            self._sink_placed = window.sink_offset


class KVCache:
    """The rolling window of one rollout: ``window`` latents, sink and chunk in hand included.

    Each pass over a chunk overwrites the chunk's own slots, until ``seal`` makes them the past.
    With ``sliding_sink`` (the ``window`` policy of ``RopeConfig``) the sink's keys are kept
    unrotated and placed anew each chunk right before the oldest other latent, so that no distance
    exceeds the window: distances are all that rotary attention sees, so this equals positions
    counted from the window's start.
    """

    def __init__(
        self, rope: Rope, *, layers: int, chunk: int, window: int, sink: int, sliding_sink: bool
    ) -> None:
        if chunk > window - sink:
            raise ValueError(f"a window of {window} cannot hold a sink of {sink} and {chunk} more")
        self.window = Window(rope, chunk, window, sink)
        self._layers = [LayerKeys(self.window, sliding_sink) for _ in range(layers)]

    def __getitem__(self, layer: int) -> LayerKeys:
        return self._layers[layer]

    @property
    def bytes(self) -> int:
        """Memory held by keys and values."""
        return sum(layer.bytes for layer in self._layers)

    def seal(self) -> None:
        """The chunk as last written becomes the past."""
        self.window.move(self.window.latents + self.window.chunk)

    def clear(self) -> None:
        """Forget everything; the buffers are kept for the next world."""
        self.window.move(0)
