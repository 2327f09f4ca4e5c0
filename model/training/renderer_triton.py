"""The renderer as one Triton kernel: the same pictures as the plain torch reference, for training.

A program renders a tile of pixels of one frame, all sub-samples of its pixels side by side, and
loops over the primitives. Bounding spheres skip most of them: a tile's view is a thin cone, and its
shadow rays are a beam towards the sun. Vectors and colours are tuples of three.
"""

# Triton gives arguments their types when it compiles.
# mypy: allow-untyped-defs, allow-incomplete-defs

import zlib

import torch
import triton
import triton.language as tl
from torch import Tensor

from model.training import tables as look
from model.training.intersect_triton import along, dot, load3, trace
from model.training.shading_triton import (
    choose,
    fog,
    mix,
    saturate,
    sky_colour,
    sun_glow,
    surface_colour,
    surface_normal,
)
from model.training.worlds import Worlds

TILE = 8  # pixels a side
# Triton's compile cache does not see the numbers of ``tables.py``; as an argument it sees this.
LOOK = zlib.crc32(repr(sorted((k, v) for k, v in vars(look).items() if k.isupper())).encode())


def render(
    worlds: Worlds, c2w_BF44: Tensor, size: tuple[int, int], *, focal: float, supersample: int
) -> Tensor:
    """As ``model.training.renderer.render``, for tensors on one CUDA device.

    ``size`` is (height, width); ``supersample`` is 1, 2 or 4.
    """
    height, width = size
    count, frames = c2w_BF44.shape[:2]
    pictures = torch.empty(
        (count, frames, 3, height, width), dtype=torch.uint8, device=c2w_BF44.device
    )
    tiles = triton.cdiv(height, TILE) * triton.cdiv(width, TILE)
    _render_tile[(count * frames, tiles)](
        worlds.things_BNC.contiguous(),
        worlds.ground_BC.contiguous(),
        worlds.light_BFC[:, :frames].contiguous(),
        c2w_BF44.float().contiguous(),
        pictures,
        frames,
        height,
        width,
        focal * width,
        SUPERSAMPLE=supersample,
        TILE=TILE,
        LOOK=LOOK,
    )
    return pictures


@triton.jit
def _render_tile(  # noqa: PLR0913 (a kernel's arguments cannot be bundled)
    things_BNC,
    ground_BC,
    light_BFC,
    c2w_BF44,
    pictures_BF3HW,
    frames,
    height,
    width,
    focal_px,
    SUPERSAMPLE: tl.constexpr,
    TILE: tl.constexpr,
    LOOK: tl.constexpr,
):
    frame, tile = tl.program_id(0), tl.program_id(1)
    world = frame // frames
    things = things_BNC + world * look.CONE_END * look.THING_COLUMNS
    ground = ground_BC + world * look.GROUND_COLUMNS
    light = light_BFC + frame * look.LIGHT_COLUMNS
    camera = c2w_BF44 + frame * 16
    SAMPLES: tl.constexpr = SUPERSAMPLE * SUPERSAMPLE
    tiles_across = tl.cdiv(width, TILE)
    left, top = (tile % tiles_across) * TILE, (tile // tiles_across) * TILE

    lane = tl.arange(0, TILE * TILE * SAMPLES)
    sample, pixel = lane % SAMPLES, lane // SAMPLES
    column = left + pixel % TILE + (sample % SUPERSAMPLE + 0.5) / SUPERSAMPLE
    line = top + pixel // TILE + (sample // SUPERSAMPLE + 0.5) / SUPERSAMPLE
    ray = _camera_ray(camera, (column - 0.5 * width) / focal_px, (line - 0.5 * height) / focal_px)
    axis = _camera_ray(
        camera,
        (left + 0.5 * TILE - 0.5 * width) / focal_px,
        (top + 0.5 * TILE - 0.5 * height) / focal_px,
    )
    eye = (tl.load(camera + 3), tl.load(camera + 7), tl.load(camera + 11))
    red, green, blue = _colour(
        (things, ground, light), eye, ray, (eye, axis, 0.0, 0.75 * TILE / focal_px), focal_px
    )

    index = tl.arange(0, TILE * TILE)
    x, y = left + index % TILE, top + index // TILE
    inside = (x < width) & (y < height)
    plane = height * width
    target = pictures_BF3HW + frame.to(tl.int64) * 3 * plane + y * width + x
    tl.store(target, _average(red, TILE * TILE, SAMPLES), inside)
    tl.store(target + plane, _average(green, TILE * TILE, SAMPLES), inside)
    tl.store(target + 2 * plane, _average(blue, TILE * TILE, SAMPLES), inside)


@triton.jit
def _camera_ray(camera, x, y):
    """World direction, unit length, of the camera's (x, y, 1); ``camera`` is a c2w, row by row."""
    dx = tl.load(camera) * x + tl.load(camera + 1) * y + tl.load(camera + 2)
    dy = tl.load(camera + 4) * x + tl.load(camera + 5) * y + tl.load(camera + 6)
    dz = tl.load(camera + 8) * x + tl.load(camera + 9) * y + tl.load(camera + 10)
    scale = 1 / tl.sqrt(dx * dx + dy * dy + dz * dz)
    return dx * scale, dy * scale, dz * scale


@triton.jit
def _colour(tables, eye, ray, view, focal_px):
    """Colours in 0..1 of rays from one eye, all within the beam ``view``."""
    things, ground, light = tables
    distance, row = trace(things, eye, ray, view)
    falls = ray[1] > 1e-4
    to_ground = tl.where(
        falls, (look.EYE_HEIGHT - eye[1]) / tl.where(falls, ray[1], 1.0), look.MISS
    )
    on_ground = to_ground < distance
    distance = tl.minimum(distance, to_ground)
    is_hit = distance < look.FAR_GROUND
    distance = tl.where(is_hit, distance, 1.0)

    glow = sun_glow(light, ray)
    colour = load3(light + 3)
    colour = (
        colour[0] + look.GLOW_IN_FOG * glow[0],
        colour[1] + look.GLOW_IN_FOG * glow[1],
        colour[2] + look.GLOW_IN_FOG * glow[2],
    )
    if tl.max(is_hit.to(tl.int32)) > 0:
        hit = (along(eye, ray, distance), row, on_ground, distance / focal_px)
        surface = _lit(tables, hit, is_hit)
        colour = mix(surface, colour, fog(distance, light))
    if tl.min(is_hit.to(tl.int32)) == 0:
        colour = choose(is_hit, colour, sky_colour(ground, light, ray, glow))
    return saturate(colour[0]), saturate(colour[1]), saturate(colour[2])


@triton.jit
def _lit(tables, hit, is_hit):
    """Colours of surfaces in the sun, in shadow and in the light of windows."""
    things, _, light = tables
    normal = surface_normal(things, hit)
    to_sun = load3(light + 12)
    facing = tl.maximum(dot(normal, to_sun), 0.0)
    start = along(hit[0], normal, look.SHADOW_BIAS)
    low_x, high_x = _bounds(start[0], is_hit)
    low_y, high_y = _bounds(start[1], is_hit)
    low_z, high_z = _bounds(start[2], is_hit)
    middle = (0.5 * (low_x + high_x), 0.5 * (low_y + high_y), 0.5 * (low_z + high_z))
    corner = (high_x - middle[0], high_y - middle[1], high_z - middle[2])
    beam = (middle, to_sun, tl.sqrt(dot(corner, corner)) + look.SHADOW_BIAS, 0.0)
    blocker, _ = trace(things, start, to_sun, beam)
    return surface_colour(tables, hit, tl.where(blocker < look.MISS, 0.0, facing), -normal[1])


@triton.jit
def _bounds(value, counted):
    """Least and greatest value of the lanes that count."""
    return (
        tl.min(tl.where(counted, value, look.MISS)),
        tl.max(tl.where(counted, value, -look.MISS)),
    )


@triton.jit
def _average(value, PIXELS: tl.constexpr, SAMPLES: tl.constexpr):
    """The mean of each pixel's samples as a byte."""
    mean = tl.sum(tl.reshape(value, [PIXELS, SAMPLES]), axis=1) / SAMPLES
    return (mean * 255 + 0.5).to(tl.uint8)
