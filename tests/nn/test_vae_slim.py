"""The slim VAE as a causal, streaming codec, and its linear start."""

import pytest
import torch
from torch import Tensor

from model.config import SlimVAEConfig
from model.nn.vae import CausalVAE, VAEState
from model.nn.vae_slim import SlimVAE, fold, unfold

pytestmark = pytest.mark.cpu

CONFIG = SlimVAEConfig(encoder_widths=(8, 12, 16), decoder_widths=(8, 12, 16))
HEIGHT, WIDTH = 32, 48
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def vae() -> SlimVAE:
    """A small VAE in which no parameter is zero, so that every path matters."""
    torch.manual_seed(0)
    vae = SlimVAE(CONFIG).eval().requires_grad_(False)
    for parameter in vae.parameters():
        parameter.normal_(0, 0.7 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1)
    vae.latent_mean.normal_()
    vae.latent_std.uniform_(0.5, 2)
    return vae


def random_frames(count: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, 3, count, HEIGHT, WIDTH, generator=generator) * 2 - 1


def random_latents(count: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(batch, 16, count, HEIGHT // 8, WIDTH // 8, generator=generator)


def encode_in_pieces(vae: CausalVAE, frames: Tensor, sizes: tuple[int, ...]) -> Tensor:
    state: VAEState | None = None
    pieces = []
    for piece in frames.split(sizes, dim=2):
        latents, state = vae.encode(piece, state)
        pieces.append(latents)
    return torch.cat(pieces, 2)


def decode_in_pieces(vae: CausalVAE, latents: Tensor, sizes: tuple[int, ...]) -> Tensor:
    state: VAEState | None = None
    pieces = []
    for piece in latents.split(sizes, dim=2):
        frames, state = vae.decode(piece, state)
        pieces.append(frames)
    return torch.cat(pieces, 2)


@pytest.mark.parametrize("count", [1, 5, 17])
def test_shapes(vae: SlimVAE, count: int) -> None:
    latents, _ = vae.encode(random_frames(count))
    assert latents.shape == (1, 16, (count - 1) // 4 + 1, HEIGHT // 8, WIDTH // 8)
    assert vae.decode(latents)[0].shape == (1, 3, count, HEIGHT, WIDTH)


def test_a_wrong_number_of_frames_is_refused(vae: SlimVAE) -> None:
    with pytest.raises(ValueError, match="4 frames"):
        vae.encode(random_frames(4))
    _, state = vae.encode(random_frames(1))
    with pytest.raises(ValueError, match="5 frames"):
        vae.encode(random_frames(5), state)


@pytest.mark.parametrize("sizes", [(1, 4, 4, 4, 4), (5, 4, 8), (1, 16), (9, 8)])
def test_encoding_in_pieces_is_encoding_at_once(vae: SlimVAE, sizes: tuple[int, ...]) -> None:
    frames = random_frames(17, batch=2)
    torch.testing.assert_close(
        encode_in_pieces(vae, frames, sizes), vae.encode(frames)[0], **TOLERANCE
    )


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1), (2, 1, 2), (1, 4), (3, 2)])
def test_decoding_in_pieces_is_decoding_at_once(vae: SlimVAE, sizes: tuple[int, ...]) -> None:
    latents = random_latents(5, batch=2)
    torch.testing.assert_close(
        decode_in_pieces(vae, latents, sizes), vae.decode(latents)[0], **TOLERANCE
    )


def test_the_past_matters(vae: SlimVAE) -> None:
    """Else the tests of streaming would pass with a state that does nothing."""
    frames, latents = random_frames(9), random_latents(3)
    encoded, decoded = vae.encode(frames)[0], vae.decode(latents)[0]
    assert (encoded[:, :, 1:] - vae.encode(frames.flip(2))[0][:, :, 1:]).abs().max() > 0.1
    forgetful = torch.cat([vae.decode(latents[:, :, i : i + 1])[0] for i in range(3)], 2)
    assert (decoded[:, :, [1, 5]] - forgetful[:, :, [1, 2]]).abs().max() > 0.1
    one, other = vae.encode(frames[:, :, :5])[1], vae.encode(frames.flip(2)[:, :, :5])[1]
    tail = frames[:, :, 5:]
    assert (vae.encode(tail, one)[0] - vae.encode(tail, other)[0]).abs().max() > 0.01


def test_a_state_can_be_continued_twice(vae: SlimVAE) -> None:
    _, state = vae.decode(random_latents(2))
    kept = [tensor.clone() for tensor in state]
    later = random_latents(4)[:, :, 2:]
    first, first_state = vae.decode(later, state)
    vae.decode(-later, state)
    second, second_state = vae.decode(later, state)
    assert torch.equal(first, second)
    assert all(map(torch.equal, first_state, second_state))
    assert all(map(torch.equal, state, kept))


def test_inputs_are_left_alone(vae: SlimVAE) -> None:
    frames, latents = random_frames(5), random_latents(2)
    vae.encode(frames)
    vae.decode(latents)
    assert torch.equal(frames, random_frames(5))
    assert torch.equal(latents, random_latents(2))


def test_a_state_holds_no_more_than_its_tensors(vae: SlimVAE) -> None:
    for _, state in (vae.encode(random_frames(17)), vae.decode(random_latents(5))):
        for tensor in state:
            assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def test_latents_know_nothing_of_later_frames(vae: SlimVAE) -> None:
    frames = random_frames(17)
    changed = frames.clone()
    changed[:, :, 9:] += 1  # the first frame of latent 3
    before, after = vae.encode(frames)[0], vae.encode(changed)[0]
    torch.testing.assert_close(after[:, :, :3], before[:, :, :3], **TOLERANCE)
    assert (after[:, :, 3] - before[:, :, 3]).abs().max() > 0.1


def test_frames_know_nothing_of_later_latents(vae: SlimVAE) -> None:
    latents = random_latents(5)
    changed = latents.clone()
    changed[:, :, 3:] += 1
    before, after = vae.decode(latents)[0], vae.decode(changed)[0]
    torch.testing.assert_close(after[:, :, :9], before[:, :, :9], **TOLERANCE)
    assert (after[:, :, 9] - before[:, :, 9]).abs().max() > 0.1


def test_clips_of_a_batch_do_not_mix(vae: SlimVAE) -> None:
    frames, latents = random_frames(9, batch=3), random_latents(3, batch=3)
    encoded, decoded = vae.encode(frames)[0], vae.decode(latents)[0]
    for i in range(3):
        torch.testing.assert_close(vae.encode(frames[i : i + 1])[0][0], encoded[i], **TOLERANCE)
        torch.testing.assert_close(vae.decode(latents[i : i + 1])[0][0], decoded[i], **TOLERANCE)


def test_latents_are_standardised_by_the_buffers(vae: SlimVAE) -> None:
    raw = SlimVAE(CONFIG).eval().requires_grad_(False)
    raw.load_state_dict(vae.state_dict())
    raw.latent_mean.zero_()
    raw.latent_std.fill_(1)
    mean, std = (b.view(16, 1, 1, 1) for b in (vae.latent_mean, vae.latent_std))
    frames = random_frames(5)
    latents = vae.encode(frames)[0]
    torch.testing.assert_close(latents * std + mean, raw.encode(frames)[0], **TOLERANCE)
    torch.testing.assert_close(vae.decode(latents)[0], raw.decode(latents * std + mean)[0])


def test_unfold_undoes_fold() -> None:
    x = torch.randn(4, 2, 8, 8, 3)
    folded = fold(x, 2, 4)
    assert folded.shape == (2, 2, 2, 2, 96)
    assert torch.equal(unfold(folded, 2, 4), x)
    assert set(folded[1, 0, 1, 0].tolist()) == set(x[2:, 0, 4:, :4].flatten().tolist())


def smooth_clips(count: int, frames: int) -> Tensor:
    """Moving colour gradients, [count, 3, frames, HEIGHT, WIDTH]."""
    generator = torch.Generator().manual_seed(3)
    fx, fy, ft, phase = torch.rand(4, count, 3, 1, 1, 1, generator=generator) * 4
    t = torch.linspace(0, 1, frames).view(-1, 1, 1)
    y, x = torch.linspace(0, 1, HEIGHT).view(-1, 1), torch.linspace(0, 1, WIDTH)
    return torch.sin(fx * x + fy * y + ft * t + phase) * 0.8


def test_pca_start_is_the_best_linear_code() -> None:
    frames = smooth_clips(6, 9)
    vae = SlimVAE(CONFIG).eval().requires_grad_(False)

    def error() -> float:
        return (vae.decode(vae.encode(frames)[0])[0] - frames).square().mean().item()

    random_error = error()
    vae.init_from_pca(frames)
    assert error() < random_error / 1000
    # What 16 components leave over, by an independent route: the singular values of the patches.
    clip = torch.cat([frames[:, :, :1].expand(-1, -1, 3, -1, -1), frames], 2)
    patches = clip.unfold(2, 4, 4).unfold(3, 8, 8).unfold(4, 8, 8)
    patches = patches.movedim(1, 4).reshape(-1, 768)
    left_over = torch.linalg.svdvals(patches - patches.mean(0))[16:].square().sum()
    both = vae.encoder(fold(clip.permute(2, 0, 3, 4, 1), 1, 2), None)[0]
    rebuilt = unfold(vae.decoder(both, None)[0], 1, 2).permute(1, 4, 0, 2, 3)
    lost = (rebuilt - clip).square().sum()
    torch.testing.assert_close(lost, left_over, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_pca_start_spreads_latents_by_a_power(power: float) -> None:
    frames = smooth_clips(6, 9)
    spread = {}
    for p in (power, 1.0):
        vae = SlimVAE(CONFIG).eval().requires_grad_(False)
        vae.init_from_pca(frames, p)
        std = vae.encode(frames)[0].std((0, 2, 3, 4))
        spread[p] = (std[0] / std[5]).item()
    assert spread[1.0] > 3
    assert spread[power] == pytest.approx(spread[1.0] ** power, rel=1e-2)
