"""Batches of procedural worlds: what stands there, the ground, and each frame's light.

Six biomes x three times of day x clear or foggy x which of four kinds of things stand there. The
columns of the tables are those of ``model/training/tables.py``; world axes are x right, y DOWN,
z forward, in metres, with the eye at y = 0.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from model.training.attributes import Attributes, sample_attributes
from model.training.palette import BIOMES, TIMES, WEATHERS, Biome, Daylight, rgb
from model.training.things import Dice, build_things

BLEND_FRAMES = 16  # how long a change of time or weather takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """B worlds, one a clip of F frames: tables of ``model/training/tables.py``, float32.

    ``things_BNC`` ``[B, N, 16]``, ``ground_BC`` ``[B, 12]``, ``light_BFC`` ``[B, F, 21]``.
    """

    things_BNC: Tensor
    ground_BC: Tensor
    light_BFC: Tensor
    attributes: Attributes


def sample_worlds(
    path_BF44: Tensor,
    generator: torch.Generator,
    *,
    events: bool,
    attributes: Attributes | None = None,
) -> Worlds:
    """Worlds around the cameras ``path_BF44`` (c2w), on the generator's device.

    Nothing stands where a camera goes. With ``events``, time or weather changes in 45 % of the
    clips, at the start of a latent; given ``attributes`` say themselves what changes and when.
    The same generator state, paths and device give the same worlds.
    """
    count, frames = path_BF44.shape[:2]
    device = generator.device
    if attributes is None:
        latents = (frames - 1) // 4 + 1
        attributes = sample_attributes(count, latents, generator, events=events)
    attributes = attributes.to(device)
    dice = Dice(generator)
    path_BF2 = path_BF44[..., [0, 2], 3].to(device=device, dtype=torch.float32)
    return Worlds(
        things_BNC=build_things(attributes.biome_B, attributes.things_B4, path_BF2, dice),
        ground_BC=_ground(attributes.biome_B, dice),
        light_BFC=_light(attributes, frames, dice),
        attributes=attributes,
    )


def _ground(biome_B: Tensor, dice: Dice) -> Tensor:
    """The table of grounds ``[B, 12]``."""

    def row(biome: Biome) -> list[float]:
        first, second = map(rgb, biome.ground)
        return [*first, *second, 0.0, 0.0, 0.0, biome.style, biome.hills, 0.0]

    count = len(biome_B)
    table = torch.tensor([row(biome) for biome in BIOMES.values()], device=biome_B.device)[biome_B]
    table[:, 6:8] = dice(count, 2, high=100.0)
    table[:, 8] = dice(count)
    table[:, 10] *= dice(count, low=0.5, high=1.1)
    return table


def _light(attributes: Attributes, frames: int, dice: Dice) -> Tensor:
    """The table of light ``[B, F, 21]``: before the change, after it, and smoothly between."""

    def row(time: Daylight) -> list[float]:
        colours = *rgb(time.zenith), *rgb(time.horizon), *time.sun, *time.ambient, *rgb(time.disc)
        return [*colours, math.radians(time.elevation_deg), time.lamps]

    device = attributes.biome_B.device
    times = torch.tensor([row(time) for time in TIMES.values()], device=device)
    airs = torch.tensor(
        [[1 / air.fog_distance, air.fogginess] for air in WEATHERS.values()], device=device
    )
    share_BF1 = _changed(attributes.switch_B, frames)[..., None]
    time_BFC = torch.lerp(
        times[attributes.time_before_B][:, None],
        times[attributes.time_after_B][:, None],
        share_BF1,
    )
    thickness_BF1, fogginess_BF1 = torch.lerp(
        airs[attributes.weather_before_B][:, None],
        airs[attributes.weather_after_B][:, None],
        share_BF1,
    ).split(1, dim=-1)
    zenith, horizon, sun, ambient, disc, elevation, lamps = time_BFC.split(
        [3, 3, 3, 3, 3, 1, 1], dim=-1
    )
    grey = 0.9 * horizon.mean(dim=-1, keepdim=True) + 0.05
    azimuth = dice(len(disc), 1, 1, high=2 * math.pi)
    to_sun = torch.cat(
        [elevation.cos() * azimuth.sin(), -elevation.sin(), elevation.cos() * azimuth.cos()], dim=-1
    )
    return torch.cat(
        [
            torch.lerp(zenith, grey, 0.75 * fogginess_BF1),
            torch.lerp(horizon, grey, 0.5 * fogginess_BF1),
            sun * (1 - 0.6 * fogginess_BF1),
            ambient * (1 + 0.35 * fogginess_BF1),
            to_sun,
            thickness_BF1,
            disc,
            1 - 0.9 * fogginess_BF1,
            lamps,
        ],
        dim=-1,
    )


def _changed(switch_B: Tensor, frames: int) -> Tensor:
    """How far the change has come, 0..1, ``[B, F]``: frame 4i - 3 is the first that shows it."""
    frame_F = torch.arange(frames, device=switch_B.device)
    linear_BF = ((frame_F - 4 * (switch_B[:, None] - 1)) / BLEND_FRAMES).clamp(0, 1)
    return linear_BF * linear_BF * (3 - 2 * linear_BF)
