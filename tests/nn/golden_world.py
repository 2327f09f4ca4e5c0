"""The tiny DiT of the golden files, and a free-running loop over its chunks."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from golden.rule import draw, fill_dit
from torch import Tensor

from model.config import DiTConfig, SamplerConfig
from model.nn.conditioner import ConditionerCache
from model.nn.dit import CausalDiT, Context
from model.nn.kv_cache import KVCache
from model.nn.rope import Rope
from model.sampling import Step, denoise_chunk, schedule

CHUNK, WINDOW, SINK, ROWS, COLS = 3, 7, 2, 4, 6
CONFIG = DiTConfig(dim=256, ffn_dim=512, num_heads=2, num_layers=2, text_len=16, text_dim=64)
STEPS = schedule(SamplerConfig(indices=(0, 179, 358, 679), shift=10.0))


def tiny_dit() -> CausalDiT:
    dit = CausalDiT(CONFIG)
    fill_dit(dit)
    return dit.eval().requires_grad_(False)


def tiny_cache(sliding_sink: bool = False) -> KVCache:
    rope = Rope(CONFIG.head_dim, ROWS // 2, COLS // 2, 10_000.0)
    return KVCache(
        rope,
        layers=CONFIG.num_layers,
        chunk=CHUNK,
        window=WINDOW,
        sink=SINK,
        sliding_sink=sliding_sink,
    )


@dataclass
class Played:
    """What came out of one chunk: each step's velocity, the clean latents, the visible keys."""

    flows: list[Tensor]
    x0: Tensor
    keys: Tensor


def play(
    dit: CausalDiT, kv: KVCache, conditioner: ConditionerCache | None, chunks: int = 4
) -> Iterator[Played]:
    """The official loop on the golden inputs, chunk by chunk."""
    name = "w7_s2_c3"
    noise = draw(f"{name}:noise", (16, 12, ROWS, COLS))[None]
    condition = draw(f"{name}:y", (20, 12, ROWS, COLS))[None]
    camera = draw(f"{name}:plucker", (1, 384, 12, ROWS, COLS))
    text = dit.text_keys(draw("ctx", (11, 64))[None])
    for chunk in range(chunks):
        own = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        context = Context(condition[:, :, own], text, camera[:, :, own].clone(), kv, conditioner)
        flows: list[Tensor] = []

        def velocity(x: Tensor, step: Step, context: Context = context, flows=flows) -> Tensor:
            flows.append(dit(x, torch.tensor([step.timestep]), context))
            return flows[-1]

        def fresh(step: int, chunk: int = chunk) -> Tensor:
            return draw(f"{name}:renoise:{chunk}:{step - 1}", (16, CHUNK, ROWS, COLS))[None]

        x0 = denoise_chunk(velocity, noise[:, :, own], STEPS, fresh)
        dit.write_keys(x0, torch.tensor([0]), context)
        yield Played(flows, x0, visible_keys(kv))
        kv.seal()
        if conditioner is not None:
            conditioner.clear()


def visible_keys(kv: KVCache) -> Tensor:
    """Layer 0's visible keys ``[1, K, N, D]`` in the order of their latents."""
    window = kv.window
    held = [latent for latent in range(window.latents + window.chunk) if latent < window.sink]
    newest = range(window.latents + window.chunk)[-(window.visible - len(held)) :]
    order = [window.slot(latent) for latent in sorted({*held, *newest})]
    keys = kv[0]._keys
    assert keys is not None
    by_slot = keys.unflatten(2, (window.size, window.tokens))
    return by_slot[:, :, order].flatten(2, 3).transpose(1, 2).clone()
