"""Train the slim VAE on clips that are rendered while it learns.

Suffixes: N clips, B clips of a batch, F frames, C channels, H rows, W columns.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from model.config import SlimVAEConfig
from model.nn.vae_slim import SlimVAE
from model.training.ema import EMA
from model.training.optimizer import MuonAdamW

ClipSampler = Callable[[int, int], Tensor]
"""(clips, frames) -> new uint8 clips [N, F, 3, H, W] on the training device."""

Log = Callable[[dict[str, float]], None]

UNTIMED_STEPS = 6  # the first steps choose kernels; the time budget starts after them
STEADY_SHARE = 0.3  # of the budget at the full learning rate
FINAL_LR = 0.005  # of the full learning rate
EMA_DECAY = 0.998
GRADIENT_NORM = 1.0
PCA_CLIPS = 120
CLIPS_AT_ONCE = 12  # measured together


@dataclass(frozen=True, slots=True, kw_only=True)
class VAERecipe:
    """How long and on what to train; the run ends when seconds or steps run out."""

    seconds: float = 100.0
    max_steps: float = math.inf
    seed: int = 0
    lr: float = 3e-3
    warm_up_steps: int = 200
    batch: int = 12
    frames: int = 17
    pool: int = 800
    """Rendered clips at hand, from which batches are drawn."""
    refresh: int = 160
    """Clips of the pool replaced by new ones at a time."""
    refresh_every: int = 20
    latent_noise: float = 0.08
    """Mean deviation of the noise added to latents: what decoding a DiT's latents will be like."""
    held_out: int = 60
    held_out_frames: int = 33
    log_every: int = 100


@dataclass(frozen=True, slots=True)
class TrainedVAE:
    """A trained VAE and how well it does on clips it was not trained on."""

    vae: SlimVAE
    psnr_db: float
    worst_clip_psnr_db: float
    steps: int


class ClipPool:
    """A ring of rendered clips: each is drawn several times before a new one takes its place."""

    def __init__(self, sample: ClipSampler, recipe: VAERecipe) -> None:
        self.sample = sample
        self.recipe = recipe
        pieces = range(0, recipe.pool, recipe.refresh)
        self.clips_NFCHW = torch.cat(
            [sample(min(recipe.refresh, recipe.pool - i), recipe.frames) for i in pieces]
        )
        self.oldest = 0

    def refresh(self) -> None:
        """Replace the oldest clips."""
        new_NFCHW = self.sample(self.recipe.refresh, self.recipe.frames)
        places = torch.arange(self.oldest, self.oldest + len(new_NFCHW)) % len(self.clips_NFCHW)
        self.clips_NFCHW[places.to(new_NFCHW.device)] = new_NFCHW
        self.oldest = (self.oldest + len(new_NFCHW)) % len(self.clips_NFCHW)

    def batch(self, generator: torch.Generator) -> Tensor:
        """Draw frames [B, 3, F, H, W] in [-1, 1], with replacement."""
        device = self.clips_NFCHW.device
        size = (self.recipe.batch,)
        drawn = torch.randint(len(self.clips_NFCHW), size, generator=generator, device=device)
        return as_frames(self.clips_NFCHW[drawn])


class Budget:
    """Tells how much of the seconds or steps is used, whichever is further."""

    def __init__(self, recipe: VAERecipe, device: torch.device) -> None:
        self.recipe = recipe
        self.device = device
        self.started_s = time.monotonic()

    def used(self, step: int) -> float:
        """Share used before ``step``: 0 at the start, 1 or more at the end."""
        if step == UNTIMED_STEPS:
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self.started_s = time.monotonic()
        seconds = self.seconds if step >= UNTIMED_STEPS else 0.0
        return max(seconds / self.recipe.seconds, step / self.recipe.max_steps)

    @property
    def seconds(self) -> float:
        """Seconds since the timed steps began."""
        return time.monotonic() - self.started_s


def train_vae(
    sample: ClipSampler,
    config: SlimVAEConfig,
    recipe: VAERecipe,
    *,
    device: torch.device,
    log: Log,
    vae: SlimVAE | None = None,
) -> TrainedVAE:
    """Train a new VAE from a PCA start, or go on with ``vae`` (its weights are overwritten).

    Every ``recipe.log_every`` steps ``log`` gets step, loss, psnr_db, latent_energy, lr and
    seconds; at the end the held-out measures. The result holds the averaged weights and the
    latent statistics of clips rendered after training; its PSNR is measured in float32.
    """
    torch.backends.cudnn.benchmark = device.type == "cuda"  # one shape throughout
    generator = torch.Generator(device).manual_seed(recipe.seed)
    pool = ClipPool(sample, recipe)
    if vae is None:
        vae = new_vae(config, recipe.seed).to(device)
        vae.init_from_pca(as_frames(pool.clips_NFCHW[:PCA_CLIPS]))
    forget_latent_statistics(vae.to(device))
    optimizer = MuonAdamW(vae, is_hidden_matrix, adam_scale=adam_scale)
    ema = EMA(vae, EMA_DECAY)
    budget = Budget(recipe, device)
    step = 0
    while (used := budget.used(step)) < 1:
        if step and step % recipe.refresh_every == 0:
            pool.refresh()
        lr = recipe.lr * min(1.0, (step + 1) / recipe.warm_up_steps) * decay_factor(used)
        frames_BCFHW = pool.batch(generator)
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss, parts = vae_loss(vae, frames_BCFHW, recipe.latent_noise, generator)
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), GRADIENT_NORM)
        optimizer.step(lr)
        ema.update()
        if step % recipe.log_every == 0:
            measured = {name: value.item() for name, value in parts.items()}
            log({"step": step, **measured, "lr": lr, "seconds": budget.seconds})
        step += 1
    return evaluate(ema.module, sample(recipe.held_out, recipe.held_out_frames), step, log)


def new_vae(config: SlimVAEConfig, seed: int) -> SlimVAE:
    """A VAE whose random weights depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SlimVAE(config)


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon takes this parameter: not the linear shortcuts, not the last layer to pixels."""
    return parameter.ndim > 1 and "shortcut" not in name and len(parameter) >= 16


def adam_scale(name: str) -> float:
    """AdamW's share of the learning rate; the shortcuts start near their best and move slowly."""
    return 0.12 if "shortcut" in name else 0.4


def decay_factor(used: float) -> float:
    """The learning rate's decay by the share of the budget used: steady, then half a cosine."""
    decayed = max(0.0, used - STEADY_SHARE) / (1 - STEADY_SHARE)
    cosine = 0.5 * (1 + math.cos(math.pi * min(decayed, 1.0)))
    return FINAL_LR + (1 - FINAL_LR) * cosine


def vae_loss(
    vae: SlimVAE, frames_BCFHW: Tensor, latent_noise: float, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Reconstruction from noisy latents, plus a little for the latents' energy.

    The error counts by Charbonnier's penalty (Lai et al. 2017, eq. 3), its differences between
    neighbours in space and in time by their absolute values: they keep edges and stop flicker.
    Each clip's noise has its own strength, uniform in [0, 2 ``latent_noise``]. Returns the loss
    and what to log.
    """
    latents_BCFHW = vae.encode(frames_BCFHW)[0].float()
    strength_B1111 = latents_BCFHW.new_empty(len(latents_BCFHW), 1, 1, 1, 1)
    strength_B1111.uniform_(0, 2 * latent_noise, generator=generator)
    noise_BCFHW = torch.empty_like(latents_BCFHW).normal_(generator=generator)
    decoded_BCFHW, _ = vae.decode(latents_BCFHW + strength_B1111 * noise_BCFHW)
    error_BCFHW = decoded_BCFHW.float() - frames_BCFHW
    squared_BCFHW = error_BCFHW.square()
    in_time, in_rows, in_columns = (error_BCFHW.diff(dim=d).abs().mean() for d in (2, 3, 4))
    energy = latents_BCFHW.square().mean()
    loss = (squared_BCFHW + 1e-4).sqrt().mean()
    loss = loss + 0.5 * (in_rows + in_columns) + 0.25 * in_time + 1e-3 * energy
    psnr = decibels(squared_BCFHW.mean())
    return loss, {"loss": loss.detach(), "psnr_db": psnr.detach(), "latent_energy": energy.detach()}


def evaluate(vae: SlimVAE, clips_NFCHW: Tensor, steps: int, log: Log) -> TrainedVAE:
    """Measure latent statistics into the VAE's buffers and the reconstruction of unseen clips."""
    measure_latent_statistics(vae, clips_NFCHW)
    psnr_NF = reconstruction_psnr(vae, clips_NFCHW)
    result = TrainedVAE(vae, psnr_NF.mean().item(), psnr_NF.mean(1).min().item(), steps)
    log(
        {
            "steps": steps,
            "held_out_psnr_db": result.psnr_db,
            "held_out_worst_clip_psnr_db": result.worst_clip_psnr_db,
            "held_out_first_frame_psnr_db": psnr_NF[:, 0].mean().item(),
            "latent_std_min": vae.latent_std.min().item(),
            "latent_std_max": vae.latent_std.max().item(),
        }
    )
    return result


def forget_latent_statistics(vae: SlimVAE) -> None:
    """Make latents raw: neither shifted nor scaled."""
    vae.latent_mean.zero_()
    vae.latent_std.fill_(1.0)


@torch.no_grad()
def measure_latent_statistics(vae: SlimVAE, clips_NFCHW: Tensor) -> None:
    """Standardise latents by their mean and deviation over these uint8 clips, per channel."""
    forget_latent_statistics(vae)
    batches = clips_NFCHW.split(CLIPS_AT_ONCE)
    latents = torch.cat([vae.encode(as_frames(batch))[0] for batch in batches])
    vae.latent_mean.copy_(latents.mean((0, 2, 3, 4)))
    vae.latent_std.copy_(latents.std((0, 2, 3, 4)))


@torch.no_grad()
def reconstruction_psnr(vae: SlimVAE, clips_NFCHW: Tensor) -> Tensor:
    """PSNR in dB of every frame, [N, F], of uint8 clips encoded and decoded as shown (clamped)."""
    psnr = []
    for batch_NFCHW in clips_NFCHW.split(CLIPS_AT_ONCE):
        frames_BCFHW = as_frames(batch_NFCHW)
        decoded_BCFHW = vae.decode(vae.encode(frames_BCFHW)[0])[0].clamp(-1, 1)
        psnr.append(decibels((decoded_BCFHW - frames_BCFHW).square().mean((1, 3, 4))))
    return torch.cat(psnr)


def decibels(mean_squared_error: Tensor) -> Tensor:
    """PSNR of frames whose values span 2, from -1 to 1."""
    return 10 * torch.log10(4 / mean_squared_error)


def as_frames(clips_NFCHW: Tensor) -> Tensor:
    """Turn uint8 clips [N, F, 3, H, W] into a VAE's frames [N, 3, F, H, W] in [-1, 1]."""
    return rearrange(clips_NFCHW.float() / 127.5 - 1, "n f c h w -> n c f h w")
