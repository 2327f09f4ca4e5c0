"""The conditioner cache: the seed's crash, and the ways in which a key can lie."""

import weakref

import numpy as np
import pytest
import torch
from golden_world import CONFIG, play, tiny_cache, tiny_dit
from torch import Tensor

from model.nn.conditioner import ConditionerCache, Modulation, tensor_version

pytestmark = pytest.mark.cpu


class Counted:
    """Computes a modulation from its source and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def of(self, source: Tensor) -> Modulation:
        self.calls += 1
        return source * 2, source + 1


def test_inference_tensors_have_no_version_and_ours_is_zero() -> None:
    with torch.inference_mode():
        tensor = torch.zeros(2)
    with pytest.raises(RuntimeError, match="version"):
        _ = tensor._version  # what SGLang's key read (PR #27437)
    assert tensor_version(tensor) == 0


@pytest.mark.parametrize("inference", [False, True])
def test_cached_passes_equal_uncached_ones_bitwise(inference: bool) -> None:
    with torch.inference_mode(inference):
        cached = list(play(tiny_dit(), tiny_cache(), ConditionerCache()))
        plain = list(play(tiny_dit(), tiny_cache(), None))
    for a, b in zip(cached, plain, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a.flows, b.flows, strict=True))
        assert torch.equal(a.keys, b.keys)  # the commit pass


@pytest.mark.parametrize("inference", [False, True])
def test_each_block_is_computed_once_a_chunk(
    inference: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dit, calls = tiny_dit(), []
    for i, block in enumerate(dit.blocks):
        compute = block.camera_modulation

        def counted(camera: Tensor, i: int = i, compute=compute) -> Modulation:
            calls.append(i)
            return compute(camera)

        monkeypatch.setattr(block, "camera_modulation", counted)
    chunks = 3
    with torch.inference_mode(inference):
        list(play(dit, tiny_cache(), ConditionerCache(), chunks))
    # Four denoising passes and one commit share one computation; the commit needs no last block.
    assert calls == list(range(CONFIG.num_layers)) * chunks


def test_a_new_camera_at_the_old_address_is_computed_anew() -> None:
    memory = np.zeros(4, np.float32)
    cache, counted = ConditionerCache(), Counted()
    with torch.inference_mode():
        first = torch.from_numpy(memory)
        cache.get(first, 0, lambda: counted.of(first))
        memory[:] = 7
        second = torch.from_numpy(memory)

        def address_key(t: Tensor) -> tuple[object, ...]:
            return t.data_ptr(), t.shape, t.stride(), t.dtype, tensor_version(t)

        assert address_key(first) == address_key(second)  # such a key takes one for the other
        scale, _ = cache.get(second, 0, lambda: counted.of(second))
    assert counted.calls == 2
    assert torch.equal(scale, torch.full((4,), 14.0))


def test_freed_addresses_do_come_back_and_the_cache_prevents_it() -> None:
    def address() -> int:
        return torch.randn(4096).data_ptr()

    def hold_new_source(cache: ConditionerCache) -> int:
        source = torch.randn(4096)
        cache.get(source, 0, lambda: (source, source))
        return source.data_ptr()

    seen = [address() for _ in range(50)]  # each freed before the next is made
    assert len(set(seen)) < len(seen), "an address-only key would be sound on this allocator"
    cache = ConditionerCache()
    held = hold_new_source(cache)
    assert all(address() != held for _ in range(50))


def test_writing_in_place_recomputes() -> None:
    cache, counted, source = ConditionerCache(), Counted(), torch.ones(3)
    cache.get(source, 0, lambda: counted.of(source))
    cache.get(source, 0, lambda: counted.of(source))
    assert (counted.calls, cache.hits, cache.misses) == (1, 1, 1)
    source.mul_(5)
    scale, _ = cache.get(source, 0, lambda: counted.of(source))
    assert torch.equal(scale, torch.full((3,), 10.0))


def test_clear_lets_go_of_the_source() -> None:
    def hold_new_source(cache: ConditionerCache) -> weakref.ref[Tensor]:
        source = torch.ones(3)
        cache.get(source, 0, lambda: (source + 1, source + 2))
        return weakref.ref(source)

    cache = ConditionerCache()
    gone = hold_new_source(cache)
    assert gone() is not None
    cache.clear()
    assert gone() is None
