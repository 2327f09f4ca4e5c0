"""The look of surfaces and sky in plain torch: the reference of the Triton kernel.

Suffixes: B worlds, P rays of a frame, 3 coordinates or colour channels, C columns (``tables.py``).
Lengths in metres; ``footprint`` is a pixel's width at the hit, by which fine patterns fade.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.training import tables as look


@dataclass(frozen=True, slots=True)
class Hit:
    """What a ray met: where, on which row of the things or on the ground, and the footprint."""

    point_BP3: Tensor
    row_BP: Tensor
    on_ground_BP: Tensor
    footprint_BP: Tensor


def surface_normal(things_BNC: Tensor, hit: Hit) -> Tensor:
    """Outward unit normals ``[B, P, 3]``; the ground's points up, to negative y."""
    column = _rows_of(things_BNC, hit.row_BP)
    x, y, z = _local_point(column, hit.point_BP3)
    half_x, half_y, half_z = column[3:6]
    across, along, deep = x / half_x, y / half_y, z / half_z
    box, roof, ellipsoid, cylinder = _kind(hit.row_BP)[:4]

    depth = 0.5 * along + 0.5
    slope = across.abs() - depth + 1
    on_gable = roof & (deep.abs() >= slope) & (deep.abs() >= along)
    on_eaves = roof & ~on_gable & (along >= slope)
    on_x, on_y = _box_face(across, along, deep)
    end_cap = (~(box | roof | ellipsoid)) & (y * torch.where(cylinder, -1, 1) > half_y - 1e-3)
    widening = 0.5 * half_x / half_y
    radial = (x * x + z * z).sqrt()

    zero, one = torch.zeros_like(x), torch.ones_like(x)
    box_3 = (
        torch.where(on_x, across.sign(), zero),
        torch.where(on_y, along.sign(), zero),
        torch.where(on_x | on_y, zero, deep.sign()),
    )
    roof_3 = (
        torch.where(on_gable | on_eaves, zero, across.sign() / half_x),
        torch.where(on_gable, zero, torch.where(on_eaves, one, -0.5 / half_y)),
        torch.where(on_gable, deep.sign(), zero),
    )
    ellipsoid_3 = (across / half_x, along / half_y, deep / half_z)
    round_3 = (
        torch.where(end_cap, zero, x),
        torch.where(end_cap, y, torch.where(cylinder, zero, -radial * widening)),
        torch.where(end_cap, zero, z),
    )
    normal_x, normal_y, normal_z = (
        torch.where(box, b, torch.where(roof, r, torch.where(ellipsoid, e, c)))
        for b, r, e, c in zip(box_3, roof_3, ellipsoid_3, round_3, strict=True)
    )
    cosine, sine = column[6], column[7]
    normal_BP3 = torch.stack(
        [
            normal_x * cosine + normal_z * sine,
            normal_y,
            normal_z * cosine - normal_x * sine,
        ],
        dim=-1,
    )
    normal_BP3 = normal_BP3 / (normal_BP3.norm(dim=-1, keepdim=True) + 1e-9)
    up_3 = normal_BP3.new_tensor([0.0, -1.0, 0.0])
    return torch.where(hit.on_ground_BP[..., None], up_3, normal_BP3)


def surface_colour(
    things_BNC: Tensor,
    ground_BC: Tensor,
    light_BC: Tensor,
    hit: Hit,
    sunlit_BP: Tensor,
    up_BP: Tensor,
) -> Tensor:
    """Colours ``[B, P, 3]`` before fog. ``sunlit_BP`` is the cosine to the sun, 0 in shadow;
    ``up_BP`` is how far the normal points up, -1..1."""
    column_BPC = torch.stack(_rows_of(things_BNC, hit.row_BP), dim=-1)
    pattern_BP, lamps_BP = _pattern(column_BPC.unbind(dim=-1), hit)
    thing_BP3 = torch.lerp(column_BPC[..., 8:11], column_BPC[..., 11:14], pattern_BP[..., None])
    mixture_BP1 = _ground_mixture(ground_BC, hit)[..., None]
    ground_BP3 = torch.lerp(ground_BC[:, None, 0:3], ground_BC[:, None, 3:6], mixture_BP1)
    on_ground_BP1 = hit.on_ground_BP[..., None]
    albedo_BP3 = torch.where(on_ground_BP1, ground_BP3, thing_BP3)

    above_BP = look.EYE_HEIGHT - hit.point_BP3[..., 1]
    contact_BP = 1 - look.CONTACT_DARKNESS * (1 - (above_BP / look.CONTACT_HEIGHT).clamp(0, 1))
    open_BP = torch.where(hit.on_ground_BP, 1.0, contact_BP)
    ambient_BP = (look.SIDE_AMBIENT + look.UPWARD_AMBIENT * up_BP) * open_BP
    sun_B13, ambient_B13 = light_BC[:, None, 6:9], light_BC[:, None, 9:12]
    lamp_3 = light_BC.new_tensor([look.LAMP_RED, look.LAMP_GREEN, look.LAMP_BLUE])
    lamps_BP = torch.where(hit.on_ground_BP, 0.0, lamps_BP) * light_BC[:, None, 20]
    return (
        albedo_BP3 * (ambient_B13 * ambient_BP[..., None] + sun_B13 * sunlit_BP[..., None])
        + lamp_3 * lamps_BP[..., None]
    )


def fog(distance_BP: Tensor, light_BC: Tensor) -> Tensor:
    """Share of haze in front of something that far away, 0..1."""
    thickness_BP = distance_BP * light_BC[:, None, 15]
    return 1 - torch.exp(-thickness_BP * thickness_BP.sqrt())


def sun_glow(light_BC: Tensor, ray_BP3: Tensor) -> Tensor:
    """The halo's colour ``[B, P, 3]``: the 24th power of the cosine to the sun."""
    strength_BP = _sun_cosine(light_BC, ray_BP3) ** 24 * look.GLOW * light_BC[:, None, 19]
    return light_BC[:, None, 16:19] * strength_BP[..., None]


def sky_colour(ground_BC: Tensor, light_BC: Tensor, ray_BP3: Tensor, glow_BP3: Tensor) -> Tensor:
    """Colours ``[B, P, 3]`` of rays that meet nothing: gradient, halo, clouds, disc, far hills."""
    dx, dy, dz = ray_BP3.unbind(dim=-1)
    rise = (-dy).clamp(min=0)
    zenith, horizon = light_BC[:, None, 0:3], light_BC[:, None, 3:6]
    sun, ambient, disc = light_BC[:, None, 6:9], light_BC[:, None, 9:12], light_BC[:, None, 16:19]
    noise_x, noise_z = ground_BC[:, None, 6], ground_BC[:, None, 7]

    height = 1 - torch.exp(-rise * look.SKY_GRADIENT)
    sky_BP3 = torch.lerp(horizon, zenith, height[..., None]) + glow_BP3
    cloud_x = dx / (rise + look.CLOUD_FLOOR) * look.CLOUD_SCALE + noise_x
    cloud_z = dz / (rise + look.CLOUD_FLOOR) * look.CLOUD_SCALE + noise_z
    billows = 0.65 * value_noise(cloud_x, cloud_z) + 0.35 * value_noise(
        cloud_x * look.CLOUD_DETAIL, cloud_z * look.CLOUD_DETAIL
    )
    cover = ((billows - look.CLOUD_THRESHOLD) * look.CLOUD_CONTRAST).clamp(0, 1)
    cover = cover * (rise * 5).clamp(0, 1) * look.CLOUD_OPACITY * ground_BC[:, None, 8]
    cloud_B13 = 0.4 * horizon + 0.55 * sun + 0.3 * ambient
    sky_BP3 = torch.lerp(sky_BP3, cloud_B13, cover[..., None])

    edge = (_sun_cosine(light_BC, ray_BP3) - look.DISC_COSINE) * look.DISC_EDGE
    bright = edge.clamp(0, 1) * light_BC[:, None, 19] * (1 - cover)
    sky_BP3 = torch.lerp(sky_BP3, disc, bright[..., None])

    level = (dx * dx + dz * dz).sqrt() + 1e-6
    hill_x, hill_z = dx / level + noise_z, dz / level + noise_x
    ridge = 0.65 * value_noise(hill_x * look.HILL_SCALE, hill_z * look.HILL_SCALE)
    ridge = ridge + 0.35 * value_noise(hill_x * look.HILL_DETAIL, hill_z * look.HILL_DETAIL)
    ridge = (ridge - look.HILL_FLOOR) * ground_BC[:, None, 10]
    hill = ((ridge - rise / level) * look.HILL_EDGE).clamp(0, 1)
    clear = 1 - fog(light_BC.new_full((1, 1), look.HILL_DISTANCE), light_BC)
    slope_B13 = torch.lerp(ground_BC[:, None, 0:3], ground_BC[:, None, 3:6], 0.3)
    slope_B13 = slope_B13 * (ambient + look.HILL_SUN * sun)
    return torch.lerp(sky_BP3, slope_B13, (hill * clear)[..., None])


def value_noise(x: Tensor, z: Tensor) -> Tensor:
    """Smooth noise in 0..1 over the plane, one lattice point a unit."""
    floor_x, floor_z = x.floor(), z.floor()
    column, row = floor_x.int(), floor_z.int()
    u, v = x - floor_x, z - floor_z
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    near = torch.lerp(lattice_hash(column, row), lattice_hash(column + 1, row), u)
    far = torch.lerp(lattice_hash(column, row + 1), lattice_hash(column + 1, row + 1), u)
    return torch.lerp(near, far, v)


def lattice_hash(column: Tensor, row: Tensor) -> Tensor:
    """A number in 0..1 for each int32 lattice point (wraps around as int32 does)."""
    mixed = (column * look.HASH_X) ^ (row * look.HASH_Z)
    mixed = (mixed ^ ((mixed >> 15) & 0x1FFFF)) * look.HASH_MIX
    mixed = mixed ^ ((mixed >> 12) & 0xFFFFF)
    return (mixed & 0xFFFF).float() / 65535.0


def _fraction(value: Tensor) -> Tensor:
    return value - value.floor()


def _sun_cosine(light_BC: Tensor, ray_BP3: Tensor) -> Tensor:
    return (ray_BP3 * light_BC[:, None, 12:15]).sum(dim=-1).clamp(min=0)


def _rows_of(things_BNC: Tensor, row_BP: Tensor) -> tuple[Tensor, ...]:
    index_BPC = row_BP[..., None].expand(-1, -1, things_BNC.shape[-1])
    return things_BNC.gather(1, index_BPC).unbind(dim=-1)


def _kind(row_BP: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Masks: box, roof, ellipsoid, cylinder, cone."""
    ends = (look.BOX_END, look.ROOF_END, look.ELLIPSOID_END, look.CYLINDER_END)
    box, upto_roof, upto_ellipsoid, upto_cylinder = (row_BP < end for end in ends)
    return (
        box,
        upto_roof & ~box,
        upto_ellipsoid & ~upto_roof,
        upto_cylinder & ~upto_ellipsoid,
        ~upto_cylinder,
    )


def _local_point(column: tuple[Tensor, ...], point_BP3: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x, y, z = (p - c for p, c in zip(point_BP3.unbind(dim=-1), column[:3], strict=True))
    cosine, sine = column[6], column[7]
    return x * cosine - z * sine, y, x * sine + z * cosine


def _box_face(across: Tensor, along: Tensor, deep: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a point of a box (in half sizes) lies on an x face or on a y face (else on z)."""
    a, b, c = across.abs(), along.abs(), deep.abs()
    on_x = (a >= b) & (a >= c)
    return on_x, ~on_x & (b >= c)


def _pattern(column: tuple[Tensor, ...], hit: Hit) -> tuple[Tensor, Tensor]:
    """Share of the accent colour, and the light that lit windows give, both 0..1."""
    x, y, z = _local_point(column, hit.point_BP3)
    half_x, half_y, half_z = column[3:6]
    box, roof, ellipsoid, cylinder, _ = _kind(hit.row_BP)
    height = y + half_y
    rows = _fraction(height / look.ROW_OF_TILES)
    blotch = value_noise((x + z + column[0]) * look.BLOTCH, (y - z + column[2]) * look.BLOTCH)
    blotch = ((blotch - 0.5) * 2.4 + 0.4).clamp(0, 1)
    band = (_fraction(height / look.BAND) < 0.5).float()
    tier = _fraction(height / look.TIER)
    window, lit = _windows((x, y, z), (half_x, half_y, half_z), column[0])

    fade = (hit.footprint_BP * look.DETAIL).clamp(0, 1)
    sharp = torch.where(box, window, torch.where(roof, rows, torch.where(cylinder, band, tier)))
    faded = sharp + (torch.where(box, 0.25, 0.5) - sharp) * fade
    pattern = torch.where(ellipsoid, blotch, faded)
    lamps = lit + (look.LIT_SHARE * 0.25 - lit) * fade
    return pattern * column[15], torch.where(box, lamps, 0.0)


def _windows(
    point: tuple[Tensor, Tensor, Tensor], half: tuple[Tensor, Tensor, Tensor], place_x: Tensor
) -> tuple[Tensor, Tensor]:
    """Whether a point of a box is in a window, and in one with light behind it (0 or 1)."""
    x, y, z = point
    half_x, half_y, half_z = half
    on_x, on_y = _box_face(x / half_x, y / half_y, z / half_z)
    along, length = torch.where(on_x, z, x), torch.where(on_x, half_z, half_x)
    columns = (2 * length / look.WINDOW_PITCH + 0.5).floor().clamp(min=1)
    storeys = (2 * half_y / look.STOREY + 0.5).floor().clamp(min=1)
    u = (along / length * 0.5 + 0.5) * columns
    v = (0.5 - y / half_y * 0.5) * storeys
    within = ((_fraction(u) - 0.5).abs() < look.WINDOW_WIDTH) & ~on_y
    within = within & (_fraction(v) > look.WINDOW_LOW) & (_fraction(v) < look.WINDOW_HIGH)
    wall = torch.where(on_x, 17, 0) + torch.where(torch.where(on_x, x, z) > 0, 31, 0)
    number = u.floor().int() + (place_x * 7).floor().int() + wall.int()
    occupied = lattice_hash(number, v.floor().int())
    return within.float(), (within & (occupied < look.LIT_SHARE)).float()


def _ground_mixture(ground_BC: Tensor, hit: Hit) -> Tensor:
    """Share of the ground's second colour, ``[B, P]``."""
    x, z = hit.point_BP3[..., 0], hit.point_BP3[..., 2]
    noise_x, noise_z, style = (ground_BC[:, None, c] for c in (6, 7, 9))
    patches = value_noise(x * look.PATCH + noise_x, z * look.PATCH + noise_z)
    speckles = value_noise(x * look.SPECKLE + noise_z, z * look.SPECKLE + noise_x)
    fade = 1 - (hit.footprint_BP * look.GROUND_DETAIL).clamp(0, 1)
    natural = 0.45 + 1.3 * (patches - 0.5) + 0.8 * (speckles - 0.5) * fade
    to_joint = 0.5 - torch.maximum(*((_fraction(s * look.TILE) - 0.5).abs() for s in (x, z)))
    width = look.TILE_LINE + 0.5 * hit.footprint_BP
    joint = (1 - to_joint / look.TILE / width).clamp(0, 1) * fade
    checks = ((x * look.CHECK).floor() + (z * look.CHECK).floor()).remainder(2)
    checked = 0.8 * (0.5 + (checks - 0.5) * fade) + 0.2 * patches
    tiled = 0.45 * natural + 0.9 * joint
    mixture = torch.where(style > 1.5, checked, torch.where(style > 0.5, tiled, natural))
    return mixture.clamp(0, 1)
