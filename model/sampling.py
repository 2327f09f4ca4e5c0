"""Few-step sampling of a chunk with any velocity model: plain functions, no network in sight.

Flow matching's straight path: ``x_sigma = (1 - sigma) x0 + sigma noise``, ``velocity = noise - x0``
(Lipman et al., arXiv 2210.02747); few steps by distribution matching (DMD, arXiv 2311.18828), as
LingBot-World-Fast samples (``wan/image2video_fast.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.config import SamplerConfig

TRAIN_TIMESTEPS = 1000


@dataclass(frozen=True)
class Step:
    """One denoising step: what the network is told, and the noise levels around it."""

    timestep: int
    sigma: float
    """Noise level used to get x0 from the velocity."""
    renoise_sigma: float
    """Noise level to which the previous step's x0 is brought before this step."""


Velocity = Callable[[Tensor, Step], Tensor]


def schedule(sampler: SamplerConfig) -> tuple[Step, ...]:
    """The steps that ``sampler.indices`` pick from the warped 1000-step schedule.

    ``s`` falls linearly from 0.999, ``sigma = shift s / (1 + (shift - 1) s)``, and a timestep is
    ``1000 sigma`` cut to an integer, so neighbours can share one. The official code then looks a
    timestep up in two ways: the first match gives the sigma for x0, the second (where there is
    one) the sigma for adding noise (``wan/utils/fm_solvers_unipc.py``).
    """
    linear = np.linspace(0.999, 0.0, TRAIN_TIMESTEPS + 1)[:-1]
    sigmas = (sampler.shift * linear / (1 + (sampler.shift - 1) * linear)).astype(np.float32)
    timesteps = (TRAIN_TIMESTEPS * sigmas).astype(np.int64)
    steps = []
    for index in sampler.indices:
        matches = np.flatnonzero(timesteps == timesteps[index])
        first, second = matches[0], matches[min(1, len(matches) - 1)]
        steps.append(Step(int(timesteps[index]), float(sigmas[first]), float(sigmas[second])))
    return tuple(steps)


def clean(x: Tensor, velocity: Tensor, sigma: float) -> Tensor:
    """x0 from a noisy ``x`` and its velocity, in float64 as the official code does it."""
    return (x.double() - sigma * velocity.double()).to(x.dtype)


def denoise_chunk(
    velocity: Velocity,
    noise: Tensor,
    steps: tuple[Step, ...],
    noise_for_step: Callable[[int], Tensor],
    given: Tensor | None = None,
) -> Tensor:
    """A clean chunk ``[B, C, F, h, w]`` from noise: predict x0, bring it to the next level, repeat.

    ``noise_for_step(i)`` is the fresh noise before step i >= 1. ``given`` holds the chunk's first
    latents where they are known (the start image); they are kept as they are. A chunk that is
    given whole costs no pass.
    """
    if given is not None and given.shape[2] == noise.shape[2]:
        return given
    x = noise
    for i, step in enumerate(steps):
        if i > 0:
            fresh = noise_for_step(i)
            x = (1 - step.renoise_sigma) * x + step.renoise_sigma * fresh
        x = clean(x, velocity(x, step), step.sigma)
        if given is not None:
            x = torch.cat([given, x[:, :, given.shape[2] :]], dim=2)
    return x


def chunk_noise(seed: int, chunk: int, step: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 that depends on nothing but seed, chunk and step.

    Drawn by numpy's counter-based Philox on the host: the same on every device, rank and torch.
    """
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, chunk, step])))
    return torch.from_numpy(stream.standard_normal(shape, dtype=np.float32))
