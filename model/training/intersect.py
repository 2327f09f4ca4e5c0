"""Rays against the five kinds of primitives, in plain torch: the reference of the Triton kernel.

Suffixes: B worlds, P rays of a world, N primitives of one kind, C columns of ``tables.py``.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from model.training import tables
from model.training.tables import MISS, NEAREST


class Local(NamedTuple):
    """Rays in a primitive's own axes ``[B, P, N]``, and its half sizes ``[B, 1, N]``."""

    x: Tensor
    y: Tensor
    z: Tensor
    dx: Tensor
    dy: Tensor
    dz: Tensor
    half_x: Tensor
    half_y: Tensor
    half_z: Tensor


def nearest_hit(
    things_BNC: Tensor, origin_BP3: Tensor, direction_BP3: Tensor
) -> tuple[Tensor, Tensor]:
    """Distance along each unit ray to what it meets first (``MISS``: nothing), and which row."""
    starts = (0, *(end for end, _ in _KINDS))
    hits = []
    for start, (end, intersect) in zip(starts, _KINDS, strict=False):
        rows_BNC = things_BNC[:, start:end]
        distance_BPN = intersect(_to_local(rows_BNC, origin_BP3, direction_BP3))
        present_B1N = rows_BNC[:, None, :, tables.RADIUS] > 0
        hits.append(torch.where(present_B1N, distance_BPN, MISS))
    best_BP, row_BP = torch.cat(hits, dim=-1).min(dim=-1)
    return best_BP, row_BP


def _to_local(things_BNC: Tensor, origin_BP3: Tensor, direction_BP3: Tensor) -> Local:
    column = things_BNC[:, None].unbind(dim=-1)
    x, y, z = (o[..., None] - c for o, c in zip(origin_BP3.unbind(-1), column[:3], strict=True))
    dx, dy, dz = (d[..., None] for d in direction_BP3.unbind(-1))
    cosine, sine = column[6], column[7]
    return Local(
        x * cosine - z * sine,
        y,
        x * sine + z * cosine,
        dx * cosine - dz * sine,
        dy,
        dx * sine + dz * cosine,
        *column[3:6],
    )


def _nonzero(value: Tensor) -> Tensor:
    return torch.where(value.abs() < 1e-6, 1e-6, value)


def _slab(position: Tensor, direction: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
    """Where a ray enters and leaves |position| <= half."""
    inverse = 1 / _nonzero(direction)
    middle, reach = -position * inverse, half * inverse.abs()
    return middle - reach, middle + reach


def _half_space(value: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Where a ray enters and leaves ``value + t slope <= 0``."""
    slope = _nonzero(slope)
    crossing = -value / slope
    return torch.where(slope < 0, crossing, -MISS), torch.where(slope > 0, crossing, MISS)


def _convex(*spans: tuple[Tensor, Tensor]) -> Tensor:
    """The first point that lies in every span, ahead of the ray's start."""
    enter, leave = spans[0]
    for later_enter, earlier_leave in spans[1:]:
        enter = torch.maximum(enter, later_enter)
        leave = torch.minimum(leave, earlier_leave)
    return torch.where((enter < leave) & (enter > NEAREST), enter, MISS)


def _box(ray: Local) -> Tensor:
    return _convex(
        _slab(ray.x, ray.dx, ray.half_x),
        _slab(ray.y, ray.dy, ray.half_y),
        _slab(ray.z, ray.dz, ray.half_z),
    )


def _roof(ray: Local) -> Tensor:
    """A gable: |x| / half_x <= (y + half_y) / (2 half_y), which is 0 at the ridge and 1 below."""
    depth = 0.5 * ray.y / ray.half_y + 0.5
    depth_slope = 0.5 * ray.dy / ray.half_y
    across, across_slope = ray.x / ray.half_x, ray.dx / ray.half_x
    return _convex(
        _slab(ray.z, ray.dz, ray.half_z),
        _half_space(depth - 1, depth_slope),
        _half_space(across - depth, across_slope - depth_slope),
        _half_space(-across - depth, -across_slope - depth_slope),
    )


def _ellipsoid(ray: Local) -> Tensor:
    x, y, z = ray.x / ray.half_x, ray.y / ray.half_y, ray.z / ray.half_z
    dx, dy, dz = ray.dx / ray.half_x, ray.dy / ray.half_y, ray.dz / ray.half_z
    squared = dx * dx + dy * dy + dz * dz
    projected = x * dx + y * dy + z * dz
    inside = projected * projected - squared * (x * x + y * y + z * z - 1)
    distance = (-projected - inside.clamp(min=0).sqrt()) / squared
    return torch.where((inside > 0) & (distance > NEAREST), distance, MISS)


def _cap(ray: Local, height: Tensor) -> Tensor:
    """The level disc of radius half_x at ``height``, met from its outer side."""
    distance = (height - ray.y) / _nonzero(ray.dy)
    x, z = ray.x + distance * ray.dx, ray.z + distance * ray.dz
    outside = ray.dy * height < 0
    within = x * x + z * z < ray.half_x * ray.half_x
    return torch.where(within & outside & (distance > NEAREST), distance, MISS)


def _cylinder(ray: Local) -> Tensor:
    squared = _nonzero(ray.dx * ray.dx + ray.dz * ray.dz)
    projected = ray.x * ray.dx + ray.z * ray.dz
    inside = projected * projected - squared * (
        ray.x * ray.x + ray.z * ray.z - ray.half_x * ray.half_x
    )
    distance = (-projected - inside.clamp(min=0).sqrt()) / squared
    on_side = (ray.y + distance * ray.dy).abs() < ray.half_y
    side = torch.where((inside > 0) & (distance > NEAREST) & on_side, distance, MISS)
    return torch.minimum(side, _cap(ray, -ray.half_y))


def _cone(ray: Local) -> Tensor:
    """Apex at -half_y (up), base of radius half_x at +half_y."""
    widening = 0.5 * ray.half_x / ray.half_y
    steep = widening * widening
    down = ray.y + ray.half_y
    squared = _nonzero(ray.dx * ray.dx + ray.dz * ray.dz - steep * ray.dy * ray.dy)
    projected = ray.x * ray.dx + ray.z * ray.dz - steep * down * ray.dy
    inside = projected * projected - squared * (ray.x * ray.x + ray.z * ray.z - steep * down * down)
    root = inside.clamp(min=0).sqrt()
    first, second = (-projected - root) / squared, (-projected + root) / squared
    side = torch.full_like(first, MISS)
    for distance in (first, second):
        below_apex = down + distance * ray.dy
        on_side = (below_apex > 0) & (below_apex < 2 * ray.half_y)
        hit = (inside > 0) & (distance > NEAREST) & on_side
        side = torch.where(hit, torch.minimum(side, distance), side)
    return torch.minimum(side, _cap(ray, ray.half_y))


_KINDS: tuple[tuple[int, Callable[[Local], Tensor]], ...] = (
    (tables.BOX_END, _box),
    (tables.ROOF_END, _roof),
    (tables.ELLIPSOID_END, _ellipsoid),
    (tables.CYLINDER_END, _cylinder),
    (tables.CONE_END, _cone),
)
