"""The causal video DiT with a camera injector in every block.

Structure and parameter names are those of the official checkpoints (robbyant/lingbot-world,
``wan/modules/model_fast.py``); one forward serves every world, rank count and training.

Legend: B batch, C channels, F latents, h w latent rows and columns, L tokens, D width, T text rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from model.config import DiTConfig
from model.nn.attention import CrossAttention, SelfAttention
from model.nn.conditioner import ConditionerCache, Modulation
from model.nn.kv_cache import KeyStore, VisibleKeys
from model.nn.layers import layer_norm, modulate, patchify, sinusoid, unpatchify
from model.parallel.mesh import SequenceMesh

TextKeys = list[tuple[Tensor, Tensor]]
_SHARED = -1  # the conditioner's entry for the embedding that all blocks share


class Conditioner(Protocol):
    """Where blocks get their camera modulation from (see ``ConditionerCache``)."""

    def get(self, source: Tensor, block: int, compute: Callable[[], Modulation]) -> Modulation:
        """The block's scale and shift for ``source``."""
        ...


@dataclass(frozen=True)
class Context:
    """All that the passes over one chunk share.

    ``condition`` is the image's mask and latent ``[B, 20, F, h, w]``, ``text`` comes from
    ``CausalDiT.text_keys``, ``camera`` is the folded ray map ``[B, 384, F, h, w]``; without it the
    injectors are skipped. ``conditioner`` keeps each block's scale and shift across passes;
    without one they are computed anew.
    """

    condition: Tensor
    text: TextKeys
    camera: Tensor | None
    kv: KeyStore
    conditioner: Conditioner | None = None
    mesh: SequenceMesh = field(default_factory=SequenceMesh)


class Block(nn.Module):
    """Self-attention, camera, prompt, feed-forward; the first and last gated by the timestep."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        dim = config.dim
        self.eps = config.eps
        self.self_attn = SelfAttention(config)
        self.cross_attn = CrossAttention(config)
        self.norm3 = nn.LayerNorm(dim, eps=config.eps)
        self.ffn = nn.Sequential(
            nn.Linear(dim, config.ffn_dim), nn.GELU("tanh"), nn.Linear(config.ffn_dim, dim)
        )
        self.modulation = nn.Parameter(torch.randn(1, 6, dim) / dim**0.5)
        self.cam_injector_layer1 = nn.Linear(dim, dim)
        self.cam_injector_layer2 = nn.Linear(dim, dim)
        self.cam_scale_layer = nn.Linear(dim, dim)
        self.cam_shift_layer = nn.Linear(dim, dim)

    def camera_modulation(self, camera_BLD: Tensor) -> Modulation:
        """Scale and shift of this block's tokens for an embedded camera."""
        hidden = self.cam_injector_layer2(functional.silu(self.cam_injector_layer1(camera_BLD)))
        guide = hidden + camera_BLD
        return self.cam_scale_layer(guide), self.cam_shift_layer(guide)

    def time_modulation(self, time_B6D: Tensor) -> tuple[Tensor, ...]:
        """Shift, scale, gate for attention, then for the feed-forward, each ``[B, 1, D]``."""
        return (self.modulation.float() + time_B6D).unsqueeze(2).unbind(1)

    def attention_input(self, x_BLD: Tensor, time: tuple[Tensor, ...]) -> Tensor:
        """What self-attention reads: normed and modulated."""
        return modulate(layer_norm(x_BLD, self.eps), time[1], time[0])

    def forward(
        self,
        x_BLD: Tensor,
        time_B6D: Tensor,
        camera: Modulation | None,
        text: tuple[Tensor, Tensor],
        kv: VisibleKeys,
        mesh: SequenceMesh,
        length: int,
    ) -> Tensor:
        """One block over this rank's tokens; ``length`` counts those of all ranks."""
        time = self.time_modulation(time_B6D)
        x = x_BLD + self.self_attn(self.attention_input(x_BLD, time), kv, mesh, length) * time[2]
        if camera is not None:
            x = modulate(x, *camera)
        x = x + self.cross_attn(self.norm3(x), text)
        hidden = self.ffn(modulate(layer_norm(x, self.eps), time[4], time[3]))
        return x + hidden * time[5]

    def write_keys(
        self, x_BLD: Tensor, time_B6D: Tensor, kv: VisibleKeys, mesh: SequenceMesh, length: int
    ) -> None:
        """``forward`` up to the keys and values, and no further."""
        time = self.time_modulation(time_B6D)
        self.self_attn.write(self.attention_input(x_BLD, time), kv, mesh, length)


class Head(nn.Module):
    """From tokens back to latent patches, modulated by the unprojected time embedding."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.head = nn.Linear(config.dim, config.out_dim * config.patch**2)
        self.modulation = nn.Parameter(torch.randn(1, 2, config.dim) / config.dim**0.5)

    def forward(self, x_BLD: Tensor, time_BD: Tensor) -> Tensor:
        """Tokens -> ``[B, L, patch*patch*out]``."""
        shift, scale = (self.modulation.float() + time_BD[:, None]).unsqueeze(2).unbind(1)
        out: Tensor = self.head(modulate(layer_norm(x_BLD, self.eps), scale, shift))
        return out


class CausalDiT(nn.Module):
    """Predicts a chunk from its noise, the past in ``kv``, the camera, the prompt and the image."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        dim, patch = config.dim, config.patch
        self.patch_embedding = nn.Conv3d(
            config.in_dim, dim, kernel_size=(1, patch, patch), stride=(1, patch, patch)
        )
        self.patch_embedding_wancamctrl = nn.Linear(config.control_dim * patch**2, dim)
        self.c2ws_hidden_states_layer1 = nn.Linear(dim, dim)
        self.c2ws_hidden_states_layer2 = nn.Linear(dim, dim)
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, dim), nn.GELU("tanh"), nn.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(
            nn.Linear(config.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim)
        )
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, dim * 6))
        blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.blocks = cast(Sequence[Block], blocks)
        self.head = Head(config)

    def text_keys(self, text_BTC: Tensor) -> TextKeys:
        """Each block's cross-attention keys and values for a prompt, made once.

        ``text`` holds the encoder's rows; shorter prompts are padded with zero rows to
        ``text_len``, and the padding is attended, as in the official model.
        """
        missing = self.config.text_len - text_BTC.shape[1]
        embedded = self.text_embedding(functional.pad(text_BTC, (0, 0, 0, missing)))
        return [block.cross_attn.keys(embedded) for block in self.blocks]

    def forward(self, latents_BCFhw: Tensor, timestep_B: Tensor, context: Context) -> Tensor:
        """The prediction ``[B, out, F, h, w]`` float32 for noisy latents at ``timestep``."""
        tokens_BLD, time_BD, length = self._through_blocks(
            latents_BCFhw, timestep_B, context, len(self.blocks)
        )
        with torch.autocast(tokens_BLD.device.type, enabled=False):
            patches = self.head(tokens_BLD.float(), time_BD)
        patches = context.mesh.gather(patches, length, dim=1)
        frames, height = latents_BCFhw.shape[2:4]
        patch = self.config.patch
        return unpatchify(patches, frames, height // patch, patch).float()

    def write_keys(self, latents_BCFhw: Tensor, timestep_B: Tensor, context: Context) -> None:
        """The commit pass: ``forward`` up to the last block's keys and values, and no further."""
        last = len(self.blocks) - 1
        x, time_BD, length = self._through_blocks(latents_BCFhw, timestep_B, context, last)
        projected = self._project(time_BD)
        self.blocks[last].write_keys(x, projected, context.kv[last], context.mesh, length)

    def _through_blocks(
        self, latents_BCFhw: Tensor, timestep_B: Tensor, context: Context, blocks: int
    ) -> tuple[Tensor, Tensor, int]:
        """Tokens after the first ``blocks`` blocks, the time embedding, all ranks' token count."""
        mesh = context.mesh
        tokens = patchify(torch.cat([latents_BCFhw, context.condition], 1), self.config.patch)
        length = tokens.shape[1]
        weight = self.patch_embedding.weight.flatten(1)
        x = functional.linear(mesh.shard(tokens, dim=1), weight, self.patch_embedding.bias)
        time_BD = self._embed_time(timestep_B)
        time_B6D = self._project(time_BD)
        conditioner = context.conditioner or ConditionerCache()
        for i in range(blocks):
            camera = self._camera(i, context.camera, conditioner, mesh)
            x = self.blocks[i](x, time_B6D, camera, context.text[i], context.kv[i], mesh, length)
        return x, time_BD, length

    def _embed_time(self, timestep_B: Tensor) -> Tensor:
        """Time in float32, as the official model keeps it, one row a sample (not a token)."""
        with torch.autocast(timestep_B.device.type, enabled=False):
            dtype = self.head.modulation.dtype
            out: Tensor = self.time_embedding(sinusoid(timestep_B, self.config.freq_dim).to(dtype))
            return out.float()

    def _project(self, time_BD: Tensor) -> Tensor:
        with torch.autocast(time_BD.device.type, enabled=False):
            rows = self.time_projection(time_BD.to(self.head.modulation.dtype))
            return rearrange(rows.float(), "b (six d) -> b six d", six=6)

    def _camera(
        self, block: int, source: Tensor | None, conditioner: Conditioner, mesh: SequenceMesh
    ) -> Modulation | None:
        """The block's scale and shift for the chunk's camera."""
        if source is None:
            return None

        def shared() -> Modulation:
            embedded = self._embed_camera(source, mesh)
            return embedded, embedded

        def of_block() -> Modulation:
            embedded, _ = conditioner.get(source, _SHARED, shared)
            return self.blocks[block].camera_modulation(embedded)

        return conditioner.get(source, block, of_block)

    def _embed_camera(self, camera_BCFhw: Tensor, mesh: SequenceMesh) -> Tensor:
        tokens = mesh.shard(patchify(camera_BCFhw, self.config.patch), dim=1)
        embedded = self.patch_embedding_wancamctrl(tokens)
        hidden = functional.silu(self.c2ws_hidden_states_layer1(embedded))
        out: Tensor = embedded + self.c2ws_hidden_states_layer2(hidden)
        return out
