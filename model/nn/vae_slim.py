"""The small world's causal VAE, made for CPUs.

Kernel-3 3D convolutions are slow there, so every convolution is 2D: a causal one sees a frame and
the frame before it side by side in its channels, and a change of frame rate folds two frames into
the channels of one. Tensors inside are [T, B, H, W, C]: with time first the past is one slice
away, with channels last the convolutions and folds need no other memory order.

Suffixes: T time at a layer's own rate, B batch, C channels, F frames or latents, H rows,
W columns, P values of a patch.
"""

from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from model.config import SlimVAEConfig
from model.nn.vae import SPACE_STRIDE, TIME_STRIDE, VAEState

PIXEL_FOLD = 2  # pixels are unshuffled by this before the first convolution
PATCH = TIME_STRIDE * SPACE_STRIDE**2 * 3  # values that one latent vector stands for
COARSE_FOLD = SPACE_STRIDE // PIXEL_FOLD


def fold(x_TBHWC: Tensor, time: int, space: int) -> Tensor:
    """Move blocks of ``time`` frames and ``space`` x ``space`` pixels into the channels."""
    pattern = "(t f) b (h r) (w s) c -> t b h w (f r s c)"
    return rearrange(x_TBHWC, pattern, f=time, r=space, s=space)


def unfold(x_TBHWC: Tensor, time: int, space: int) -> Tensor:
    """Undo ``fold``."""
    pattern = "t b h w (f r s c) -> (t f) b (h r) (w s) c"
    return rearrange(x_TBHWC, pattern, f=time, r=space, s=space)


class Conv(nn.Conv2d):
    """A 2D convolution of each frame of [T, B, H, W, C]."""

    def forward(self, x_TBHWC: Tensor) -> Tensor:
        """Convolve; the output has the same axes."""
        x = super().forward(rearrange(x_TBHWC, "t b h w c -> (t b) c h w"))
        return rearrange(x, "(t b) c h w -> t b h w c", b=x_TBHWC.shape[1])


class CausalConv(Conv):
    """A 3x3 convolution of each frame and the frame before it."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__(2 * in_width, out_width, 3, padding=1)

    def forward(  # type: ignore[override]  # the past goes in and comes out
        self, x_TBHWC: Tensor, past: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Convolve after ``past``, the frame [1, B, H, W, C] before x (None: zeros).

        Returns the output and the past of the next call.
        """
        if past is None:
            past = torch.zeros_like(x_TBHWC[:1])
        seen = torch.cat([past, x_TBHWC])
        # The clone frees the rest of the clip, which a view would keep alive as long as the state.
        return super().forward(torch.cat([x_TBHWC, seen[:-1]], dim=-1)), seen[-1:].clone()


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(x)))) within each frame; starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Conv(width, width, 3, padding=1)
        self.second = zero_init(Conv(width, width, 3, padding=1))

    def forward(self, x_TBHWC: Tensor) -> Tensor:
        """Add the block's correction to x."""
        return x_TBHWC + self.second(F.relu(self.first(F.relu(x_TBHWC))))


class CausalResidualBlock(nn.Module):
    """A residual block whose first convolution sees the frame before as well."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = CausalConv(width, width)
        self.second = zero_init(Conv(width, width, 3, padding=1))

    def forward(self, x_TBHWC: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """Add the block's correction to x; ``past`` as in ``CausalConv``."""
        hidden, past = self.first(F.relu(x_TBHWC), past)
        return x_TBHWC + self.second(F.relu(hidden)), past


def zero_init(conv: Conv) -> Conv:
    """Make a convolution start as zero, so that what it is added to passes unchanged."""
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(cast(Tensor, conv.bias))
    return conv


class Encoder(nn.Module):
    """Frames to latents: a linear map of each 4x8x8 patch, corrected by a network."""

    def __init__(self, latent_dim: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.stem = Conv(3 * PIXEL_FOLD**2, fine, 3, padding=1)
        self.down_fine = Conv(2 * fine, middle, 4, stride=2, padding=1)
        self.middle = CausalResidualBlock(middle)
        self.down_middle = Conv(2 * middle, coarse, 4, stride=2, padding=1)
        self.coarse_causal = CausalResidualBlock(coarse)
        self.coarse = ResidualBlock(coarse)
        self.head = zero_init(Conv(coarse, latent_dim, 3, padding=1))
        self.shortcut = nn.Linear(PATCH, latent_dim)

    def forward(self, pixels_TBHWC: Tensor, state: VAEState | None) -> tuple[Tensor, VAEState]:
        """Encode 4 k folded frames [4k, B, H/2, W/2, 12] to [k, B, H/8, W/8, latent]."""
        past_middle, past_coarse = state or (None, None)
        x = F.relu(self.stem(pixels_TBHWC))
        x = F.relu(self.down_fine(fold(x, 2, 1)))
        x, past_middle = self.middle(x, past_middle)
        x = F.relu(self.down_middle(fold(x, 2, 1)))
        x, past_coarse = self.coarse_causal(x, past_coarse)
        x = self.head(F.relu(self.coarse(x)))
        return x + self.shortcut(fold(pixels_TBHWC, TIME_STRIDE, COARSE_FOLD)), (
            past_middle,
            past_coarse,
        )


class Decoder(nn.Module):
    """Latents to frames: a linear map to each 4x8x8 patch, corrected by a network."""

    def __init__(
        self, latent_dim: int, widths: tuple[int, int, int], blocks: tuple[int, int, int]
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.stem = CausalConv(latent_dim, coarse)
        self.coarse_causal = CausalResidualBlock(coarse)
        self.coarse = residual_blocks(coarse, blocks[2] - 1)
        self.up_coarse = nn.Linear(coarse, 8 * middle)
        self.middle_causal = CausalResidualBlock(middle)
        self.middle = residual_blocks(middle, blocks[1] - 1)
        self.up_middle = nn.Linear(middle, 8 * fine)
        self.fine = residual_blocks(fine, blocks[0])
        self.head = zero_init(Conv(fine, 3 * PIXEL_FOLD**2, 3, padding=1))
        self.shortcut = nn.Linear(latent_dim, PATCH)

    def forward(self, z_TBHWC: Tensor, state: VAEState | None) -> tuple[Tensor, VAEState]:
        """Decode [k, B, h, w, latent] to 4 k folded frames [4k, B, 4h, 4w, 12]."""
        past_stem, past_coarse, past_middle = state or (None, None, None)
        x, past_stem = self.stem(z_TBHWC, past_stem)
        x, past_coarse = self.coarse_causal(x, past_coarse)
        x = self.up_coarse(F.relu(self.coarse(x)))
        x, past_middle = self.middle_causal(unfold(x, 2, 2), past_middle)
        x = self.up_middle(F.relu(self.middle(x)))
        x = self.head(F.relu(self.fine(unfold(x, 2, 2))))
        return x + unfold(self.shortcut(z_TBHWC), TIME_STRIDE, COARSE_FOLD), (
            past_stem,
            past_coarse,
            past_middle,
        )


def residual_blocks(width: int, count: int) -> nn.Sequential:
    """A stack of ``count`` blocks within frames."""
    return nn.Sequential(*(ResidualBlock(width) for _ in range(count)))


def clip_pixels(frames_BCFHW: Tensor, *, starts: bool) -> Tensor:
    """Folded pixels [4k, B, H/2, W/2, 12]; a clip's first frame is repeated to fill latent 0."""
    frames_TBHWC = rearrange(frames_BCFHW, "b c t h w -> t b h w c")
    if starts:
        lead = frames_TBHWC[:1].expand(TIME_STRIDE - 1, -1, -1, -1, -1)
        frames_TBHWC = torch.cat([lead, frames_TBHWC])
    if frames_TBHWC.shape[0] % TIME_STRIDE:
        raise ValueError(f"{frames_BCFHW.shape[2]} frames are no whole number of latents")
    return fold(frames_TBHWC, 1, PIXEL_FOLD)


class SlimVAE(nn.Module):
    """Slim causal VAE; see ``CausalVAE`` for the contract. H and W are multiples of 16."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: SlimVAEConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.latent_dim, config.encoder_widths)
        self.decoder = Decoder(config.latent_dim, config.decoder_widths, config.decoder_blocks)
        self.register_buffer("latent_mean", torch.zeros(config.latent_dim))
        self.register_buffer("latent_std", torch.ones(config.latent_dim))
        nn.utils.convert_conv2d_weight_memory_format(self, torch.channels_last)

    def encode(
        self, frames_BCFHW: Tensor, state: VAEState | None = None
    ) -> tuple[Tensor, VAEState]:
        """Frames in [-1, 1] to standardised latents; see ``CausalVAE.encode``."""
        pixels, state = self.encoder(clip_pixels(frames_BCFHW, starts=state is None), state)
        latents_TBHWC = (pixels - self.latent_mean) / self.latent_std
        return rearrange(latents_TBHWC, "t b h w c -> b c t h w"), state

    def decode(
        self, latents_BCFHW: Tensor, state: VAEState | None = None
    ) -> tuple[Tensor, VAEState]:
        """Standardised latents to frames; see ``CausalVAE.decode``."""
        starts = state is None
        z_TBHWC = rearrange(latents_BCFHW, "b c t h w -> t b h w c").contiguous()
        pixels, state = self.decoder(z_TBHWC * self.latent_std + self.latent_mean, state)
        frames_TBHWC = unfold(pixels[TIME_STRIDE - 1 :] if starts else pixels, 1, PIXEL_FOLD)
        return rearrange(frames_TBHWC, "t b h w c -> b c t h w"), state

    @torch.no_grad()
    def init_from_pca(self, frames_BCFHW: Tensor, power: float = 0.5) -> None:
        """Set the linear shortcuts to the principal components of these clips' 4x8x8 patches.

        Frames are [B, 3, 1 + 4 k, H, W] in [-1, 1]. A component of standard deviation s becomes
        a latent channel of deviation s**power, up to a common factor: 0 would whiten the latents,
        1 keeps the spectrum. The networks beside the shortcuts still add nothing at this point,
        so this is the best linear autoencoder of such patches.
        """
        pixels = clip_pixels(frames_BCFHW, starts=True)
        patches_NP = fold(pixels, TIME_STRIDE, COARSE_FOLD).flatten(0, 3)
        mean_P = patches_NP.mean(0)
        centred_NP = patches_NP - mean_P
        covariance_PP = (centred_NP.T @ centred_NP).double() / len(centred_NP)
        variance, axes = torch.linalg.eigh(covariance_PP)  # ascending
        count = len(self.latent_mean)
        deviation_C = variance[-count:].flip(0).clamp(min=1e-8).sqrt().to(mean_P)
        axes_PC = axes[:, -count:].flip(1).to(mean_P)
        gain_C = (deviation_C / deviation_C.mean()) ** power / deviation_C
        self.encoder.shortcut.weight.copy_((axes_PC * gain_C).T)
        self.encoder.shortcut.bias.copy_(-(mean_P @ axes_PC) * gain_C)
        self.decoder.shortcut.weight.copy_(axes_PC / gain_C)
        self.decoder.shortcut.bias.copy_(mean_P)
