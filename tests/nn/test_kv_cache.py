"""The rolling window against a plain list of all keys ever seen."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from model.nn.kv_cache import KVCache
from model.nn.rope import Rope, rotate

pytestmark = pytest.mark.cpu
ROPE = Rope(head_dim=24, rows=2, cols=3, theta=100.0)
TOKENS = 6


def visible(latents: int, window: int, sink: int) -> list[int]:
    """Which of ``latents`` latents a window shows: the first ones and the newest."""
    if latents <= window:
        return list(range(latents))
    return [*range(sink), *range(latents - (window - sink), latents)]


def attend(q: Tensor, keys: Tensor, values: Tensor, times: list[int], own: int) -> Tensor:
    """Attention with rotary positions ``times``, the queries at the last ``own`` of them."""
    turned = rotate(keys, ROPE.table(torch.tensor(times)))
    q = rotate(q, ROPE.table(torch.tensor(times[-own:])))
    return scaled_dot_product_attention(q, turned, values)


@pytest.mark.parametrize("sliding", [False, True])
@pytest.mark.parametrize(
    ("chunk", "window", "sink"), [(1, 5, 1), (3, 7, 2), (4, 18, 6), (2, 4, 2), (3, 3, 0)]
)
def test_attention_sees_sink_and_newest_at_their_places(
    chunk: int, window: int, sink: int, sliding: bool
) -> None:
    cache = KVCache(ROPE, layers=1, chunk=chunk, window=window, sink=sink, sliding_sink=sliding)
    all_k, all_v = torch.zeros(1, 2, 0, 24), torch.zeros(1, 2, 0, 24)
    for step in range(12):
        for _ in range(2):  # a chunk is written once a pass; the last one counts
            q, k, v = (torch.randn(1, 2, chunk * TOKENS, 24) for _ in range(3))
            shown = scaled_dot_product_attention(cache[0].rotate_queries(q), *cache[0].update(k, v))
        all_k, all_v = torch.cat([all_k, k], 2), torch.cat([all_v, v], 2)
        held = visible((step + 1) * chunk, window, sink)
        tokens = [t for latent in held for t in range(latent * TOKENS, (latent + 1) * TOKENS)]
        times = list(range(len(held))) if sliding else held
        expected = attend(q, all_k[:, :, tokens], all_v[:, :, tokens], times, chunk)
        torch.testing.assert_close(shown, expected, atol=2e-6, rtol=1e-5)
        cache.seal()


def test_a_sliding_window_looks_the_same_after_a_week_of_walking() -> None:
    def last_of(start: int) -> Tensor:
        torch.manual_seed(0)
        cache = KVCache(ROPE, layers=1, chunk=1, window=5, sink=1, sliding_sink=True)
        for latent in [0, *range(start, start + 8)]:
            cache.window.move(latent)
            q, k, v = (torch.randn(1, 2, TOKENS, 24) for _ in range(3))
            keys, values = cache[0].update(k, v)
        return scaled_dot_product_attention(cache[0].rotate_queries(q), keys, values)

    torch.testing.assert_close(last_of(9), last_of(2_400_009), atol=1e-5, rtol=1e-5)


def test_a_window_too_small_for_its_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match="window of 4 cannot hold"):
        KVCache(ROPE, layers=1, chunk=3, window=4, sink=2, sliding_sink=False)
