"""Sampling on velocities that are known in closed form, and noise that depends on nothing else."""

import pytest
import torch
from torch import Tensor

from model.config import SamplerConfig
from model.sampling import Step, chunk_noise, clean, denoise_chunk, schedule

pytestmark = pytest.mark.cpu
STEPS = schedule(SamplerConfig(indices=(0, 250, 500, 750), shift=5.0))
SHAPE = (1, 2, 3, 4, 5)


def test_the_exact_velocity_gives_back_the_clean_chunk() -> None:
    x0 = torch.randn(SHAPE)

    def velocity(x: Tensor, step: Step) -> Tensor:
        return (x - x0) / step.sigma

    out = denoise_chunk(velocity, torch.randn(SHAPE), STEPS, lambda i: torch.randn(SHAPE))
    torch.testing.assert_close(out, x0, atol=1e-6, rtol=0)


def test_each_step_sees_the_noise_of_its_own_level() -> None:
    seen: list[Tensor] = []

    def velocity(x: Tensor, step: Step) -> Tensor:
        seen.append(x)
        return x / step.sigma  # x0 is zero, whatever was asked

    fresh = [torch.randn(SHAPE) for _ in STEPS]
    denoise_chunk(velocity, fresh[0], STEPS, fresh.__getitem__)
    for i, step in enumerate(STEPS):
        level = 1.0 if i == 0 else step.renoise_sigma
        torch.testing.assert_close(seen[i], level * fresh[i], atol=1e-6, rtol=0)


def test_given_latents_are_kept_and_a_given_chunk_costs_nothing() -> None:
    calls: list[int] = []

    def velocity(x: Tensor, step: Step) -> Tensor:
        calls.append(step.timestep)
        return torch.zeros_like(x)

    given = torch.randn(1, 2, 1, 4, 5)
    noise = torch.randn(SHAPE)
    out = denoise_chunk(velocity, noise, STEPS, lambda i: noise, given)
    assert torch.equal(out[:, :, :1], given)
    assert len(calls) == len(STEPS)
    assert denoise_chunk(velocity, given * 0, STEPS, lambda i: noise, given) is given
    assert len(calls) == len(STEPS)


def test_clean_is_exact_to_float32_rounding() -> None:
    x0, noise, sigma = torch.randn(1000), torch.randn(1000), 0.9478
    x = (1 - sigma) * x0.double() + sigma * noise.double()
    out = clean(x.float(), noise - x0, sigma)
    torch.testing.assert_close(out, x0, atol=5e-7, rtol=1e-6)


def test_noise_depends_on_seed_chunk_and_step_alone() -> None:
    torch.manual_seed(1)
    first = chunk_noise(3, 5, 1, SHAPE)
    torch.manual_seed(2)
    assert torch.equal(first, chunk_noise(3, 5, 1, SHAPE))
    others = [chunk_noise(*key, SHAPE) for key in ((4, 5, 1), (3, 6, 1), (3, 5, 2), (5, 3, 1))]
    assert all(not torch.equal(first, other) for other in others)
    many = chunk_noise(0, 0, 0, (100_000,))
    assert abs(many.mean()) < 0.02
    assert abs(many.std() - 1) < 0.02


def test_noise_is_the_same_on_every_machine() -> None:
    pinned = torch.tensor([-1.646251916885376, -0.9004504680633545, -0.8955386877059937])
    torch.testing.assert_close(chunk_noise(7, 2, 1, (3,)), pinned, atol=0, rtol=0)
