"""Training the slim VAE: it learns, it measures, and what it learnt survives being stored."""

import copy
import dataclasses
import functools

import pytest
import torch
from torch import Tensor

from model.config import SlimVAEConfig
from model.training.vae import (
    UNTIMED_STEPS,
    ClipPool,
    VAERecipe,
    as_frames,
    decay_factor,
    measure_latent_statistics,
    new_vae,
    reconstruction_psnr,
    train_vae,
    vae_loss,
)

pytestmark = pytest.mark.cpu

CONFIG = SlimVAEConfig(encoder_widths=(8, 16, 16), decoder_widths=(8, 16, 16))
RECIPE = VAERecipe(
    seconds=float("inf"),
    max_steps=12,
    batch=2,
    frames=5,
    pool=8,
    refresh=3,
    refresh_every=4,
    held_out=3,
    held_out_frames=9,
    log_every=4,
)
CPU = torch.device("cpu")


class MovingGradients:
    """Renders clips of drifting colour waves; every call continues one random sequence."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.rendered = 0

    def __call__(self, count: int, frames: int) -> Tensor:
        self.rendered += count
        shape = (4, count, 1, 3, 1, 1)
        fx, fy, ft, phase = torch.rand(shape, generator=self.generator) * 12
        t = torch.linspace(0, 1, frames).view(-1, 1, 1, 1)
        y, x = torch.linspace(0, 1, 32).view(-1, 1), torch.linspace(0, 1, 48)
        wave = torch.sin(fx * x + fy * y + ft * t + phase)
        return ((wave + 1) * 127.5).round().to(torch.uint8)


@functools.cache
def trained() -> tuple[object, list[dict[str, float]]]:
    logged: list[dict[str, float]] = []
    result = train_vae(MovingGradients(0), CONFIG, RECIPE, device=CPU, log=logged.append)
    return result, logged


def test_training_reduces_the_loss() -> None:
    clips = MovingGradients(0)
    recipe = dataclasses.replace(RECIPE, max_steps=40, warm_up_steps=5, pool=12, lr=1e-2)
    vae = new_vae(CONFIG, 0)
    vae.init_from_pca(as_frames(MovingGradients(0)(12, 5)))
    unseen = as_frames(MovingGradients(1)(4, 5))

    def loss() -> float:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            return vae_loss(vae, unseen, 0.08, generator)[0].item()

    before = loss()
    train_vae(clips, CONFIG, recipe, device=CPU, log=lambda entry: None, vae=vae)
    assert loss() < 0.95 * before  # better than the best linear code
    assert clips.rendered == 12 + 9 * 3 + 3  # pool, refreshes, held out


def test_the_report_is_what_the_result_does() -> None:
    result, logged = trained()
    assert result.steps == 12
    assert [entry["step"] for entry in logged[:-1]] == [0, 4, 8]
    assert {"loss", "psnr_db", "latent_energy", "lr", "seconds"} <= logged[0].keys()
    assert logged[-1]["held_out_psnr_db"] == result.psnr_db
    sample = MovingGradients(0)
    for count, frames in ((3, 5), (3, 5), (2, 5), (3, 5), (3, 5)):  # pool and refreshes
        sample(count, frames)
    psnr = reconstruction_psnr(result.vae, sample(3, 9))
    assert psnr.mean().item() == pytest.approx(result.psnr_db, abs=1e-3)
    assert psnr.mean(1).min().item() == pytest.approx(result.worst_clip_psnr_db, abs=1e-3)


def test_training_is_repeatable() -> None:
    result, _ = trained()
    again = train_vae(MovingGradients(0), CONFIG, RECIPE, device=CPU, log=lambda entry: None)
    other = dataclasses.replace(RECIPE, seed=1)
    different = train_vae(MovingGradients(0), CONFIG, other, device=CPU, log=lambda entry: None)
    assert again.psnr_db == pytest.approx(result.psnr_db, abs=1e-2)
    assert different.psnr_db != pytest.approx(result.psnr_db, abs=1e-4)


def test_latents_come_out_standardised() -> None:
    vae = copy.deepcopy(trained()[0].vae)
    clips = MovingGradients(5)(6, 9)
    measure_latent_statistics(vae, clips)
    with torch.no_grad():
        latents, _ = vae.encode(as_frames(clips))
    torch.testing.assert_close(latents.mean((0, 2, 3, 4)), torch.zeros(16), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3, 4)), torch.ones(16), atol=1e-3, rtol=0)


def test_half_precision_storage_costs_nothing_that_can_be_seen() -> None:
    vae = trained()[0].vae
    clips = MovingGradients(6)(4, 9)
    stored = {name: tensor.half() for name, tensor in vae.state_dict().items()}
    loaded = new_vae(CONFIG, 9)
    loaded.load_state_dict(stored)
    assert loaded.latent_std.dtype == torch.float32
    change = reconstruction_psnr(loaded, clips) - reconstruction_psnr(vae, clips)
    assert change.abs().max() < 0.05


def test_psnr_of_a_known_error() -> None:
    class Darker:
        """Codes nothing: its frames are the input's, a tenth of the range darker."""

        def encode(self, frames: Tensor) -> tuple[Tensor, tuple[()]]:
            return frames, ()

        def decode(self, latents: Tensor) -> tuple[Tensor, tuple[()]]:
            return latents - 0.2, ()

    clips = torch.full((14, 5, 3, 16, 16), 200, dtype=torch.uint8)
    psnr = reconstruction_psnr(Darker(), clips)
    torch.testing.assert_close(psnr, torch.full((14, 5), 20.0))


def test_the_pool_replaces_its_oldest_clips() -> None:
    count = iter(range(100))

    def numbered(clips: int, frames: int) -> Tensor:
        values = torch.tensor([next(count) for _ in range(clips)], dtype=torch.uint8)
        return values.view(-1, 1, 1, 1, 1).expand(clips, frames, 3, 16, 16)

    pool = ClipPool(numbered, RECIPE)
    assert pool.clips_NFCHW[:, 0, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    pool.refresh()
    pool.refresh()
    pool.refresh()
    assert pool.clips_NFCHW[:, 0, 0, 0, 0].tolist() == [16, 9, 10, 11, 12, 13, 14, 15]
    drawn = pool.batch(torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 3, 5, 16, 16)


def test_the_learning_rate_decays_with_the_budget() -> None:
    assert decay_factor(0.0) == decay_factor(0.3) == pytest.approx(1.0)
    assert decay_factor(0.65) == pytest.approx(0.5, abs=0.01)
    assert decay_factor(1.0) == decay_factor(1.5) == pytest.approx(0.005)
    late = [decay_factor(0.3 + 0.07 * i) for i in range(11)]
    assert late == sorted(late, reverse=True)


def test_the_learning_rate_warms_up() -> None:
    recipe = dataclasses.replace(RECIPE, warm_up_steps=6, lr=1.0, max_steps=3, log_every=1)
    logged: list[dict[str, float]] = []
    train_vae(MovingGradients(0), CONFIG, recipe, device=CPU, log=logged.append)
    assert logged[0]["lr"] == pytest.approx(1 / 6)
    assert logged[1]["lr"] == pytest.approx(2 / 6 * decay_factor(1 / 3))


def test_the_time_budget_starts_after_the_first_steps() -> None:
    recipe = dataclasses.replace(RECIPE, seconds=1e-9, max_steps=float("inf"))
    result = train_vae(MovingGradients(0), CONFIG, recipe, device=CPU, log=lambda entry: None)
    assert result.steps == UNTIMED_STEPS
