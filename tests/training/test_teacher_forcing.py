"""Training sees what serving sees: a whole clip at once equals the clip streamed by chunks."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.config import WORLDS, WorldConfig
from model.local import new_cache
from model.nn.dit import CausalDiT, Context, TextKeys
from model.training.teacher_forcing import BothStreams, ClipKeys

pytestmark = pytest.mark.cpu
CLIPS = 2


def tiny_world(chunk: int, window: int, sink: int) -> WorldConfig:
    dit = replace(WORLDS["small"].dit, dim=48, ffn_dim=64, num_heads=4, num_layers=3, text_dim=8)
    return replace(
        WORLDS["small"], dit=dit, height=32, width=48, chunk=chunk, window=window, sink=sink
    )


def randomised(world: WorldConfig) -> CausalDiT:
    torch.manual_seed(1)
    dit = CausalDiT(world.dit)
    for parameter in dit.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return dit.requires_grad_(False)


def draw(*shape: int) -> Tensor:
    return torch.randn(shape)


@pytest.mark.parametrize(
    ("chunk", "window", "sink"), [(1, 5, 1), (1, 4, 2), (2, 7, 2), (3, 7, 2), (2, 4, 0)]
)
def test_whole_clip_equals_streaming_past_the_window(chunk: int, window: int, sink: int) -> None:
    world = tiny_world(chunk, window, sink)
    dit, chunks = randomised(world), 12 // chunk
    size = (12, world.latent_height, world.latent_width)
    noisy, clean = draw(CLIPS, 16, *size), draw(CLIPS, 16, *size)
    condition, camera = draw(CLIPS, 20, *size), draw(CLIPS, 384, *size)
    times = torch.rand(CLIPS, chunks) * 1000
    text = dit.text_keys(draw(CLIPS, 5, world.dit.text_dim))

    def by_chunk(x: Tensor) -> Tensor:
        return x.unflatten(2, (chunks, chunk)).transpose(1, 2).flatten(0, 1)

    def both(x: Tensor) -> Tensor:
        return torch.cat([x, x])

    each: TextKeys = [
        tuple(both(t.repeat_interleave(chunks, 0)) for t in pair)  # type: ignore[misc]
        for pair in text
    ]
    keys = ClipKeys(world, CLIPS, chunks, torch.device("cpu"))
    context = Context(both(by_chunk(condition)), each, by_chunk(camera), keys, BothStreams())
    streams = torch.cat([by_chunk(noisy), by_chunk(clean)])
    stream_times = torch.cat([times.flatten(), torch.zeros(CLIPS * chunks)])
    whole = dit(streams, stream_times, context)[: CLIPS * chunks].unflatten(0, (CLIPS, chunks))

    for clip in range(CLIPS):
        cache = new_cache(world)
        own_text: TextKeys = [(k[clip : clip + 1], v[clip : clip + 1]) for k, v in text]
        for i in range(chunks):
            at = (slice(clip, clip + 1), slice(None), slice(i * chunk, (i + 1) * chunk))
            step = Context(condition[at], own_text, camera[at], cache)
            streamed = dit(noisy[at], times[clip, i : i + 1], step)
            torch.testing.assert_close(streamed[0], whole[clip, i], atol=2e-4, rtol=1e-4)
            dit.write_keys(clean[at], torch.zeros(1), step)
            cache.seal()
