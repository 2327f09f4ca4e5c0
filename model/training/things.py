"""Where things stand in a world and how they are built of primitives (the table of ``tables.py``).

Suffixes: B worlds, N primitives of one sort, 3 coordinates or colour channels, M things.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from model.training import tables
from model.training.palette import BIOMES, THINGS, rgb

STANDING = 0.88  # share of the places of a chosen kind where something stands
NEAREST, SPREAD = 4.5, 23.0  # metres from the middle of the path
PATH_MARGIN = 0.7  # metres kept free beside the path
GAP = 0.3  # metres kept free between things

_COUNTS = (tables.HOUSES, tables.PILLARS, tables.CONIFERS, tables.BROADLEAVES, tables.BOULDERS)
_KINDS = ("houses", "pillars", "trees", "trees", "boulders")


@dataclass(frozen=True, slots=True)
class Dice:
    """Uniform random numbers of one generator, float32 on its device."""

    generator: torch.Generator

    def __call__(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Numbers in [low, high)."""
        sample = torch.rand(shape, generator=self.generator, device=self.generator.device)
        return low + (high - low) * sample


@dataclass(frozen=True, slots=True)
class Spots:
    """Where things of one sort stand: plane position, yaw, and whether they are there at all."""

    x_BN: Tensor
    z_BN: Tensor
    yaw_BN: Tensor
    present_BN: Tensor


def build_things(biome_B: Tensor, things_B4: Tensor, path_BF2: Tensor, dice: Dice) -> Tensor:
    """The table of things ``[B, THINGS, 16]`` of worlds whose players walk along ``path_BF2``.

    Things stand all round the middle of the path; those that would stand in its way or in another
    thing are left out, so that nothing is ever walked through.
    """
    count, device = len(biome_B), biome_B.device
    total = sum(_COUNTS)
    centre_B12 = path_BF2[:, None, path_BF2.shape[1] // 2]
    turns = [
        (torch.arange(n, device=device) + dice(count, n)) / n + dice(count, 1) for n in _COUNTS
    ]
    angle_BM = 2 * math.pi * torch.cat(turns, dim=1)
    reach_BM1 = (NEAREST + SPREAD * dice(count, total) ** 0.6)[..., None]
    place_BM2 = centre_B12 + reach_BM1 * torch.stack([angle_BM.cos(), angle_BM.sin()], dim=-1)

    wanted_BM = torch.cat(
        [
            things_B4[:, THINGS.index(kind), None].expand(-1, n)
            for kind, n in zip(_KINDS, _COUNTS, strict=True)
        ],
        dim=1,
    ) & (dice(count, total) < STANDING)
    sizes_BM3 = _sizes(biome_B, dice)
    present_BM = wanted_BM & _stands_free(place_BM2, sizes_BM3, wanted_BM, path_BF2)
    is_city_B1 = biome_B[:, None] == list(BIOMES).index("city")
    yaw_BM = torch.where(is_city_B1, 0.0, dice(count, total, high=2 * math.pi))

    def sort(index: int) -> tuple[Spots, Tensor]:
        start = sum(_COUNTS[:index])
        part = slice(start, start + _COUNTS[index])
        place = place_BM2[:, part]
        spots = Spots(place[..., 0], place[..., 1], yaw_BM[:, part], present_BM[:, part])
        return spots, sizes_BM3[:, part]

    paint = _Paint(biome_B, dice)
    boxes, roofs = _houses(*sort(0), paint)
    pillars = _pillars(*sort(1), paint)
    cones, conifer_trunks = _conifers(*sort(2), paint)
    crowns, broadleaf_trunks = _broadleaves(*sort(3), paint)
    boulders = _boulders(*sort(4), paint)
    return torch.cat(
        [boxes, roofs, boulders, crowns, pillars, conifer_trunks, broadleaf_trunks, cones], dim=1
    )


def _sizes(biome_B: Tensor, dice: Dice) -> Tensor:
    """Half sizes ``[B, M, 3]`` in metres of whole things (trees: crown radius and overall size)."""
    count = len(biome_B)
    houses, pillars, conifers, broadleaves, boulders = _COUNTS
    storeys_B1 = torch.tensor([b.storeys for b in BIOMES.values()], device=biome_B.device)[
        biome_B, None
    ]
    stretch = 1 + (storeys_B1 - 1) * dice(count, houses)
    wide, deep = dice(count, houses, low=1.4, high=3.0), dice(count, houses, low=1.3, high=2.8)
    house = torch.stack([wide, dice(count, houses, low=1.0, high=1.9) * stretch, deep], dim=-1)
    girth = dice(count, pillars, low=0.28, high=0.75)
    pillar = torch.stack([girth, dice(count, pillars, low=0.9, high=2.6), girth], dim=-1)
    small = dice(count, conifers, low=0.75, high=1.6)
    conifer = torch.stack([1.15 * small, small, 1.15 * small], dim=-1)
    big = dice(count, broadleaves, low=0.8, high=1.5)
    broadleaf = torch.stack([1.4 * big, big, 1.4 * big], dim=-1)
    stone = dice(count, boulders, low=0.5, high=2.0)
    boulder = torch.stack(
        [
            stone,
            stone * dice(count, boulders, low=0.55, high=0.95),
            stone * dice(count, boulders, low=0.65, high=1.0),
        ],
        dim=-1,
    )
    return torch.cat([house, pillar, conifer, broadleaf, boulder], dim=1)


def _stands_free(
    place_BM2: Tensor, sizes_BM3: Tensor, wanted_BM: Tensor, path_BF2: Tensor
) -> Tensor:
    """Whether a thing is clear of the path and of every earlier thing that was wanted."""
    radius_BM = sizes_BM3[..., [0, 2]].norm(dim=-1)
    round_things = slice(tables.HOUSES, None)
    radius_BM[:, round_things] = sizes_BM3[:, round_things, [0, 2]].amax(dim=-1)
    off_path_BM = torch.cdist(place_BM2, path_BF2).amin(dim=-1) > radius_BM + PATH_MARGIN
    candidate_BM = wanted_BM & off_path_BM
    apart_BMM = torch.cdist(place_BM2, place_BM2) > (
        radius_BM[:, :, None] + radius_BM[:, None] + GAP
    )
    order_M = torch.arange(place_BM2.shape[1], device=place_BM2.device)
    earlier_MM = order_M[None, :] < order_M[:, None]
    crowded_BM = (~apart_BMM & earlier_MM & candidate_BM[:, None, :]).any(dim=-1)
    return off_path_BM & ~crowded_BM


class _Paint:
    """Colours of the biome of each world, picked and varied at random."""

    def __init__(self, biome_B: Tensor, dice: Dice) -> None:
        self.biome_B = biome_B
        self.dice = dice

    def pick(self, part: str, number: int) -> Tensor:
        """One of the biome's colours of ``part`` for each of ``number`` things, ``[B, N, 3]``."""
        rows = [getattr(biome, part) for biome in BIOMES.values()]
        choices = [[rgb(c) for c in ([row] if isinstance(row, str) else row)] for row in rows]
        table_63 = torch.tensor(choices, device=self.biome_B.device)[self.biome_B]
        count, options = table_63.shape[:2]
        picked_BN = (self.dice(count, number) * options).long()
        colour_BN3 = table_63.gather(1, picked_BN[..., None].expand(-1, -1, 3))
        return (colour_BN3 * self.dice(count, number, 1, low=0.88, high=1.1)).clamp(0, 1)

    def blend(self, part: str, number: int) -> Tensor:
        """A random mixture of the biome's two colours of ``part``, ``[B, N, 3]``."""
        pairs = torch.tensor(
            [[rgb(c) for c in getattr(biome, part)] for biome in BIOMES.values()],
            device=self.biome_B.device,
        )[self.biome_B]
        share = self.dice(len(self.biome_B), number, 1)
        return pairs[:, :1] + (pairs[:, 1:] - pairs[:, :1]) * share


def _rows(
    spots: Spots,
    above_ground_BN: Tensor,
    half_BN3: Tensor,
    colours: tuple[Tensor, Tensor],
    pattern: float,
) -> Tensor:
    """Rows of the table: the primitive's centre is ``above_ground_BN`` metres over the ground."""
    height_BN = tables.EYE_HEIGHT - above_ground_BN
    radius_BN = torch.where(spots.present_BN, half_BN3.norm(dim=-1), 0.0)
    return torch.cat(
        [
            torch.stack([spots.x_BN, height_BN, spots.z_BN], dim=-1),
            half_BN3,
            torch.stack([spots.yaw_BN.cos(), spots.yaw_BN.sin()], dim=-1),
            *colours,
            torch.stack([radius_BN, torch.full_like(radius_BN, pattern)], dim=-1),
        ],
        dim=-1,
    )


def _houses(spots: Spots, half_BN3: Tensor, paint: _Paint) -> tuple[Tensor, Tensor]:
    count, number = spots.x_BN.shape
    colours = paint.pick("walls", number), paint.pick("windows", number)
    boxes = _rows(spots, half_BN3[..., 1], half_BN3, colours, 1.0)
    share = torch.tensor([b.roofed for b in BIOMES.values()], device=half_BN3.device)
    roofed_BN = paint.dice(count, number) < share[paint.biome_B, None]
    roof_BN3 = half_BN3 + 0.22
    roof_BN3[..., 1] = half_BN3[..., 0] * paint.dice(count, number, low=0.28, high=0.5)
    above_BN = 2 * half_BN3[..., 1] + roof_BN3[..., 1]
    under = Spots(spots.x_BN, spots.z_BN, spots.yaw_BN, spots.present_BN & roofed_BN)
    slate = paint.pick("roofs", number)
    return boxes, _rows(under, above_BN, roof_BN3, (slate, slate * 0.7), 0.6)


def _pillars(spots: Spots, half_BN3: Tensor, paint: _Paint) -> Tensor:
    number = spots.x_BN.shape[1]
    colours = paint.pick("pillars", number), paint.pick("pillars", number)
    return _rows(spots, half_BN3[..., 1], half_BN3, colours, 1.0)


def _conifers(spots: Spots, size_BN3: Tensor, paint: _Paint) -> tuple[Tensor, Tensor]:
    count, number = spots.x_BN.shape
    radius, scale = size_BN3[..., 0], size_BN3[..., 1]
    tall = 1.6 * scale * paint.dice(count, number, low=0.85, high=1.25)
    leaf = paint.blend("leaves", number)
    cone = torch.stack([radius, tall, radius], dim=-1)
    cones = _rows(spots, 0.8 * scale + tall, cone, (leaf, leaf * 0.62), 0.7)
    return cones, _trunks(spots, 0.5 * scale, 0.16 * scale, paint)


def _broadleaves(spots: Spots, size_BN3: Tensor, paint: _Paint) -> tuple[Tensor, Tensor]:
    count, number = spots.x_BN.shape
    radius, scale = size_BN3[..., 0], size_BN3[..., 1]
    tall = radius * paint.dice(count, number, low=0.75, high=1.05)
    leaf = paint.blend("leaves", number)
    crown = torch.stack([radius, tall, radius], dim=-1)
    crowns = _rows(spots, 1.5 * scale + 0.8 * tall, crown, (leaf, leaf * 0.7), 0.8)
    return crowns, _trunks(spots, 0.9 * scale, 0.17 * scale, paint)


def _trunks(spots: Spots, half_height_BN: Tensor, radius_BN: Tensor, paint: _Paint) -> Tensor:
    half_BN3 = torch.stack([radius_BN, half_height_BN, radius_BN], dim=-1)
    bark = paint.pick("trunk", spots.x_BN.shape[1])
    return _rows(spots, half_height_BN, half_BN3, (bark, bark), 0.0)


def _boulders(spots: Spots, half_BN3: Tensor, paint: _Paint) -> Tensor:
    count, number = spots.x_BN.shape
    above_BN = half_BN3[..., 1] * paint.dice(count, number, low=0.1, high=0.8)
    stone = paint.blend("stones", number)
    return _rows(spots, above_BN, half_BN3, (stone, stone * 0.68), 0.8)
