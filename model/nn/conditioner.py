"""Camera scale and shift of every block, computed once a chunk instead of once a pass.

The seed of this project is SGLang PR #27437: its cache key read ``_version`` of an inference
tensor, which raises, on a path that only ran with Ulysses > 1 while serving. Two more things
make a key sound: an address is no identity (a freed tensor's storage is soon reused), so the
cache holds its source and compares objects; and the key is taken on the whole, unsharded
embedding, so that every rank decides alike.
"""

from collections.abc import Callable

from torch import Tensor

Modulation = tuple[Tensor, Tensor]


def tensor_version(tensor: Tensor) -> int:
    """The tensor's in-place version; 0 for inference tensors, which count none.

    An inference tensor must therefore not be written in place while it is a cache's source.
    """
    return 0 if tensor.is_inference() else tensor._version


class ConditionerCache:
    """(scale, shift) by block for one camera embedding at a time."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self._source: Tensor | None = None
        self._version = 0
        self._entries: dict[int, Modulation] = {}

    def get(self, source: Tensor, block: int, compute: Callable[[], Modulation]) -> Modulation:
        """The block's modulation; computed if ``source`` is another object or was written since."""
        version = tensor_version(source)
        if source is not self._source or version != self._version:
            self.clear()
            self._source, self._version = source, version
        if block in self._entries:
            self.hits += 1
        else:
            self.misses += 1
            self._entries[block] = compute()
        return self._entries[block]

    def clear(self) -> None:
        """Let go of the source and all that was computed from it; called at the chunk's end."""
        self._source = None
        self._entries.clear()
