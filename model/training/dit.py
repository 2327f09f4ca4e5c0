"""The DiT's base training: flow matching by teacher forcing on a pool of rendered clips.

Legend: B clips, K chunks of a clip, L latents, C channels, h w latent rows and columns.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from model.camera.intrinsics import Intrinsics
from model.camera.rays import camera_embedding, plucker_rays
from model.config import WorldConfig
from model.nn.dit import CausalDiT, Context, TextKeys
from model.nn.text import TextEncoder
from model.sampling import schedule
from model.training.ema import EMA
from model.training.optimizer import MuonAdamW
from model.training.pool import Batch, Pool
from model.training.teacher_forcing import BothStreams, ClipKeys

Log = Callable[[dict[str, float]], None]

UNTIMED_STEPS = 5


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the DiT is trained; shares of the run are counted in its seconds."""

    seconds: float = 420.0
    max_steps: float = math.inf
    batch: int = 24
    learning_rate: float = 2.5e-3
    warmup_steps: int = 200
    decay_from: float = 0.3
    """Share of the run after which the rate falls linearly to 2 %."""
    own_context_from: float = 0.5
    """Share of the run after which every second step sees the model's own past."""
    own_context: float = 0.7
    """Share of the chunks whose past is the model's own in such a step."""
    context_noise: float = 0.2
    drop_image: float = 0.1
    ema: float = 0.998
    sigma_shift: float = 3.0
    sampler_share: float = 0.5
    """Share of the chunks trained at the very noise levels that the sampler uses."""
    pool: int = 5000
    refresh_every: int = 8
    refresh: int = 32
    log_every: int = 250


class WorldNets(nn.Module):
    """What is trained jointly: the DiT and the small text encoder."""

    def __init__(self, dit: CausalDiT, text: nn.Module) -> None:
        super().__init__()
        self.dit = dit
        self.text = text


class Trainer:
    """One run over a world's DiT and text encoder."""

    def __init__(
        self,
        config: WorldConfig,
        dit: CausalDiT,
        text: TextEncoder,
        channel_weight_C: Tensor,
        recipe: Recipe,
    ) -> None:
        self.config, self.recipe, self.dit, self.text = config, recipe, dit, text
        self.device = next(dit.parameters()).device
        self.nets = WorldNets(dit, text.encoder).train()
        self.optimizer = MuonAdamW(self.nets, is_hidden_matrix)
        self.ema = EMA(self.nets, recipe.ema)
        self.lens = Intrinsics.from_focal(config.focal, config.width, config.height)
        weight = channel_weight_C / channel_weight_C.mean()
        self.channel_weight = weight.to(self.device).view(-1, 1, 1, 1)
        self.sampler_sigmas = torch.tensor(
            [step.sigma for step in schedule(config.sampler)], device=self.device
        )
        self.keys: dict[tuple[int, int], ClipKeys] = {}
        self._started = time.monotonic()
        if self.device.type == "cuda":
            for block in dit.blocks:
                block.compile(dynamic=False)

    def run(self, pool: Pool, log: Log) -> None:
        """Train until the recipe's time (or steps) are used up; the networks end as their EMA."""
        step = 0
        past: tuple[Batch, Tensor] | None = None
        while (done := self._done(step)) < 1:
            if step and step % self.recipe.refresh_every == 0:
                pool.refresh(self.recipe.refresh)
            own = past if step % 2 and done >= self.recipe.own_context_from else None
            batch = own[0] if own else pool.draw(self.recipe.batch)
            loss, predicted = self.loss(batch, own[1] if own else None)
            self._update(loss, self.recipe.learning_rate * self._rate(step, done))
            past = (batch, predicted)
            step += 1
            if step % self.recipe.log_every == 0 or step == 50:
                seconds = round(time.monotonic() - self._started, 1)
                log(
                    {
                        "step": step,
                        "seconds": seconds,
                        "loss": round(loss.item(), 4),
                        "rate": round(self._rate(step, done), 4),
                        "clips": pool.rendered,
                    }
                )
        self.nets.load_state_dict(self.ema.module.state_dict())
        self.nets.eval()
        log({"steps": step, "clips_seen": step * self.recipe.batch})

    def _done(self, step: int) -> float:
        """Share of the run used up; the first steps, in which kernels are compiled, are free."""
        if step == UNTIMED_STEPS:
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self._started = time.monotonic()
        seconds = time.monotonic() - self._started if step >= UNTIMED_STEPS else 0.0
        return max(seconds / self.recipe.seconds, step / self.recipe.max_steps)

    def loss(self, batch: Batch, own_past: Tensor | None) -> tuple[Tensor, Tensor]:
        """Weighted x0 error of one batch, and the predicted clean latents (detached)."""
        clean_BCLhw = batch.latents_BCLhw
        past = self._past(clean_BCLhw, own_past)
        sigma_BK = self._sigmas(len(clean_BCLhw), clean_BCLhw.shape[2] // self.config.chunk)
        sigma = rearrange(sigma_BK, "b k -> b 1 k 1 1").repeat_interleave(self.config.chunk, 2)
        noisy = (1 - sigma) * clean_BCLhw + sigma * torch.randn_like(clean_BCLhw)
        has_image = torch.rand(len(clean_BCLhw), device=self.device) >= self.recipe.drop_image
        predicted = self.predict(batch, noisy, past, sigma_BK, has_image)
        error = (predicted - clean_BCLhw).square() * self.channel_weight
        error_BL = error.mean(dim=(1, 3, 4))
        # 1/sigma^2 would weigh the nearly clean levels without bound.
        weight_BL = sigma[:, 0, :, 0, 0].clamp(min=0.35) ** -2
        counted = torch.ones_like(weight_BL)
        counted[:, 0] = (~has_image).float()
        return (error_BL * weight_BL * counted).sum() / counted.sum(), predicted.detach()

    def predict(
        self, batch: Batch, noisy: Tensor, past: Tensor, sigma_BK: Tensor, has_image: Tensor
    ) -> Tensor:
        """x0 of every chunk ``[B, C, L, h, w]`` given noisy latents and a clean past, at once."""
        clips, chunks = sigma_BK.shape
        camera = camera_embedding(plucker_rays(batch.deltas_BL44, self.lens))
        condition = self._condition(batch.latents_BCLhw, has_image)
        streams = torch.cat([self._by_chunk(noisy), self._by_chunk(past)])
        timesteps = torch.cat([1000 * sigma_BK.flatten(), torch.zeros_like(sigma_BK).flatten()])
        if (clips, chunks) not in self.keys:
            self.keys[clips, chunks] = ClipKeys(self.config, clips, chunks, self.device)
        cuda = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=cuda):
            context = Context(
                self._by_chunk(condition).repeat(2, 1, 1, 1, 1),
                self._text_keys(batch, chunks),
                self._by_chunk(camera),
                self.keys[clips, chunks],
                BothStreams(),
            )
            out = self.dit(streams, timesteps, context)[: clips * chunks]
        predicted = rearrange(out, "(b k) c f h w -> b c (k f) h w", b=clips)
        if self.config.sampler.prediction == "sample":
            return predicted
        sigma = rearrange(sigma_BK, "b k -> b 1 k 1 1").repeat_interleave(self.config.chunk, 2)
        return noisy - sigma * predicted

    def _text_keys(self, batch: Batch, chunks: int) -> TextKeys:
        """Cross-attention keys of each sample ``(s b k)``: the prompt in force at its chunk."""
        rows = self.text.rows(batch.tokens_B2T.flatten(0, 1))
        start = torch.arange(chunks, device=self.device) * self.config.chunk
        later_BK = (start[None] >= batch.switch_B[:, None]).long()
        clip = torch.arange(len(later_BK), device=self.device)[:, None]
        index = (2 * clip + later_BK).flatten().repeat(2)
        return [(k[index], v[index]) for k, v in self.dit.text_keys(rows)]

    def _past(self, clean: Tensor, own_past: Tensor | None) -> Tensor:
        """What the model sees as its past: clean, some of it its own work, a little noisy."""
        clips, latents = len(clean), clean.shape[2]
        past = clean
        if own_past is not None:
            own = torch.rand(clips, 1, latents, 1, 1, device=self.device) < self.recipe.own_context
            own[:, :, 0] = False
            past = torch.where(own, own_past, clean)
        spread = torch.rand(clips, 1, latents, 1, 1, device=self.device) * 2 - 1
        return past + torch.randn_like(past) * spread.clamp(min=0) * self.recipe.context_noise

    def _sigmas(self, clips: int, chunks: int) -> Tensor:
        """Noise levels ``[B, K]``: mostly spread with a shift, some the sampler's own."""
        u = torch.rand(clips, chunks, device=self.device)
        shift = self.recipe.sigma_shift
        spread = (shift * u / (1 + (shift - 1) * u)).clamp(0.03, 1.0)
        pick = torch.randint(len(self.sampler_sigmas), u.shape, device=self.device)
        own = torch.rand_like(u) < self.recipe.sampler_share
        return torch.where(own, self.sampler_sigmas[pick], spread)

    def _condition(self, clean: Tensor, has_image: Tensor) -> Tensor:
        """Mask (4) and image latent (16), as serving makes them."""
        clips, channels, *size = clean.shape
        condition = clean.new_zeros(clips, 4 + channels, *size)
        keep = has_image.view(-1, 1, 1, 1).float()
        condition[:, :4, 0] = keep
        condition[:, 4:, 0] = clean[:, :, 0] * keep
        return condition

    def _by_chunk(self, x_BCLhw: Tensor) -> Tensor:
        return rearrange(x_BCLhw, "b c (k f) h w -> (b k) c f h w", f=self.config.chunk)

    def _update(self, loss: Tensor, rate: float) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.nets.parameters(), 1.0)
        self.optimizer.step(rate)
        self.ema.update()

    def _rate(self, step: int, done: float) -> float:
        """Share of the full learning rate: a warm-up in steps, then a decay in time."""
        decay_from = self.recipe.decay_from
        late = max(0.0, done - decay_from) / (1 - decay_from)
        return min(1.0, (step + 1) / self.recipe.warmup_steps) * (1 - 0.98 * late)


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Which parameters Muon takes: the matrices inside blocks and text layers."""
    inside = name.startswith(("dit.blocks.", "text.encoder.block."))
    return inside and parameter.ndim == 2 and "relative_attention_bias" not in name


def initialise(dit: CausalDiT) -> None:
    """Start each block near identity: gates, camera and outputs begin at zero."""
    ends = ("self_attn.o", "cross_attn.o", "ffn.2", "cam_scale_layer", "cam_shift_layer")
    for name, layer in dit.named_modules():
        if name.endswith((*ends, "head.head", "time_projection.1")):
            assert isinstance(layer, nn.Linear)
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
