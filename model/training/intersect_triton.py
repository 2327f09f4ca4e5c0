"""Rays against the five kinds of primitives inside a Triton kernel: as ``intersect.py`` does.

Vectors are tuples of three, each a scalar or one value a ray; a ray's own axes and a primitive's
half sizes are such tuples too.
"""

# Triton gives arguments their types when it compiles.
# mypy: allow-untyped-defs, allow-incomplete-defs

import triton
import triton.language as tl

from model.training import tables as look


@triton.jit
def load3(pointer):
    """Three consecutive numbers."""
    return tl.load(pointer), tl.load(pointer + 1), tl.load(pointer + 2)


@triton.jit
def dot(a, b):
    """Inner product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@triton.jit
def along(origin, direction, distance):
    """The point ``distance`` along a ray."""
    return (
        origin[0] + distance * direction[0],
        origin[1] + distance * direction[1],
        origin[2] + distance * direction[2],
    )


@triton.jit
def into_yaw(vector, cosine, sine):
    """World axes to the axes of something turned by a yaw."""
    x, y, z = vector
    return x * cosine - z * sine, y, x * sine + z * cosine


@triton.jit
def out_of_yaw(vector, cosine, sine):
    """The axes of something turned by a yaw to world axes."""
    x, y, z = vector
    return x * cosine + z * sine, y, z * cosine - x * sine


@triton.jit
def trace(things, origin, ray, beam):
    """Distance along each ray to what it meets first (``MISS``: nothing), and which row.

    All rays lie in ``beam``: (start, unit axis, radius at the start, growth of it a metre);
    primitives outside it are skipped.
    """
    best = (origin[0] + ray[0]) * 0 + look.MISS
    row = best.to(tl.int32) * 0
    for i in range(look.CONE_END):
        thing = things + i * look.THING_COLUMNS
        if _touches(thing, beam):
            x, y, z = load3(thing)
            half = load3(thing + 3)
            cosine, sine = tl.load(thing + 6), tl.load(thing + 7)
            o = into_yaw((origin[0] - x, origin[1] - y, origin[2] - z), cosine, sine)
            d = into_yaw(ray, cosine, sine)
            if i < look.BOX_END:
                distance = _box(o, d, half)
            elif i < look.ROOF_END:
                distance = _roof(o, d, half)
            elif i < look.ELLIPSOID_END:
                distance = _ellipsoid(o, d, half)
            elif i < look.CYLINDER_END:
                distance = _cylinder(o, d, half)
            else:
                distance = _cone(o, d, half)
            row = tl.where(distance < best, i, row)
            best = tl.minimum(distance, best)
    return best, row


@triton.jit
def _touches(thing, beam):
    """Whether a primitive is there and its bounding sphere reaches into a beam."""
    start, axis, width, growth = beam
    radius = tl.load(thing + look.RADIUS)
    x, y, z = load3(thing)
    offset = (x - start[0], y - start[1], z - start[2])
    ahead = dot(offset, axis)
    aside_squared = dot(offset, offset) - ahead * ahead
    reach = width + radius * (1 + growth) + tl.abs(ahead) * growth
    return (radius > 0) & (ahead > -(radius + width)) & (aside_squared < reach * reach)


@triton.jit
def _nonzero(value):
    return tl.where(tl.abs(value) < 1e-6, 1e-6, value)


@triton.jit
def _slab(position, direction, half):
    inverse = 1 / _nonzero(direction)
    middle, reach = -position * inverse, half * tl.abs(inverse)
    return middle - reach, middle + reach


@triton.jit
def _half_space(value, slope):
    slope = _nonzero(slope)
    crossing = -value / slope
    return tl.where(slope < 0, crossing, -look.MISS), tl.where(slope > 0, crossing, look.MISS)


@triton.jit
def _first_inside(enter, leave):
    return tl.where((enter < leave) & (enter > look.NEAREST), enter, look.MISS)


@triton.jit
def _box(o, d, half):
    enter_x, leave_x = _slab(o[0], d[0], half[0])
    enter_y, leave_y = _slab(o[1], d[1], half[1])
    enter_z, leave_z = _slab(o[2], d[2], half[2])
    return _first_inside(
        tl.maximum(tl.maximum(enter_x, enter_y), enter_z),
        tl.minimum(tl.minimum(leave_x, leave_y), leave_z),
    )


@triton.jit
def _roof(o, d, half):
    depth, depth_slope = 0.5 * o[1] / half[1] + 0.5, 0.5 * d[1] / half[1]
    across, across_slope = o[0] / half[0], d[0] / half[0]
    enter, leave = _slab(o[2], d[2], half[2])
    enter_eaves, leave_eaves = _half_space(depth - 1, depth_slope)
    enter_right, leave_right = _half_space(across - depth, across_slope - depth_slope)
    enter_left, leave_left = _half_space(-across - depth, -across_slope - depth_slope)
    enter = tl.maximum(tl.maximum(enter, enter_eaves), tl.maximum(enter_right, enter_left))
    leave = tl.minimum(tl.minimum(leave, leave_eaves), tl.minimum(leave_right, leave_left))
    return _first_inside(enter, leave)


@triton.jit
def _ellipsoid(o, d, half):
    o = (o[0] / half[0], o[1] / half[1], o[2] / half[2])
    d = (d[0] / half[0], d[1] / half[1], d[2] / half[2])
    squared, projected = dot(d, d), dot(o, d)
    inside = projected * projected - squared * (dot(o, o) - 1)
    distance = (-projected - tl.sqrt(tl.maximum(inside, 0.0))) / squared
    return tl.where((inside > 0) & (distance > look.NEAREST), distance, look.MISS)


@triton.jit
def _cap(o, d, half, height):
    distance = (height - o[1]) / _nonzero(d[1])
    x, z = o[0] + distance * d[0], o[2] + distance * d[2]
    within = (x * x + z * z < half[0] * half[0]) & (distance > look.NEAREST)
    return tl.where(d[1] * height < 0, tl.where(within, distance, look.MISS), look.MISS)


@triton.jit
def _cylinder(o, d, half):
    squared = _nonzero(d[0] * d[0] + d[2] * d[2])
    projected = o[0] * d[0] + o[2] * d[2]
    inside = projected * projected - squared * (o[0] * o[0] + o[2] * o[2] - half[0] * half[0])
    distance = (-projected - tl.sqrt(tl.maximum(inside, 0.0))) / squared
    on_side = (tl.abs(o[1] + distance * d[1]) < half[1]) & (distance > look.NEAREST)
    side = tl.where((inside > 0) & on_side, distance, look.MISS)
    return tl.minimum(side, _cap(o, d, half, -half[1]))


@triton.jit
def _cone(o, d, half):
    widening = 0.5 * half[0] / half[1]
    steep = widening * widening
    down = o[1] + half[1]
    squared = _nonzero(d[0] * d[0] + d[2] * d[2] - steep * d[1] * d[1])
    projected = o[0] * d[0] + o[2] * d[2] - steep * down * d[1]
    inside = projected * projected - squared * (o[0] * o[0] + o[2] * o[2] - steep * down * down)
    root = tl.sqrt(tl.maximum(inside, 0.0))
    side = _cap(o, d, half, half[1])
    for sign in tl.static_range(-1, 2, 2):
        distance = (-projected + sign * root) / squared
        below_apex = down + distance * d[1]
        on_side = (below_apex > 0) & (below_apex < 2 * half[1]) & (distance > look.NEAREST)
        side = tl.where((inside > 0) & on_side, tl.minimum(side, distance), side)
    return side
