"""The look of surfaces and sky inside a Triton kernel: as ``shading.py`` does.

Vectors and colours are tuples of three. A ``hit`` is (point, row of the things, on the ground,
footprint); pointers lead to one world's tables and one frame's light (``tables.py``).
"""

# Triton gives arguments their types when it compiles.
# mypy: allow-untyped-defs, allow-incomplete-defs

import triton
import triton.language as tl

from model.training import tables as look
from model.training.intersect_triton import dot, into_yaw, load3, out_of_yaw


@triton.jit
def mix(a, b, share):
    """From colour ``a`` (share 0) to colour ``b`` (share 1)."""
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )


@triton.jit
def choose(condition, a, b):
    """Vector ``a`` where the condition holds, else ``b``."""
    return (
        tl.where(condition, a[0], b[0]),
        tl.where(condition, a[1], b[1]),
        tl.where(condition, a[2], b[2]),
    )


@triton.jit
def saturate(value):
    """Clamped to 0..1."""
    return tl.minimum(tl.maximum(value, 0.0), 1.0)


@triton.jit
def surface_normal(things, hit):
    """Outward unit normals; the ground's points up, to negative y."""
    point, row, on_ground, _ = hit
    thing = things + row * look.THING_COLUMNS
    x, y, z = _local_point(thing, point)
    half_x, half_y, half_z = load3(thing + 3)
    across, upright, deep = x / half_x, y / half_y, z / half_z
    box, roof, ellipsoid, cylinder = _kind(row)

    depth = 0.5 * upright + 0.5
    slope = tl.abs(across) - depth + 1
    on_gable = roof & (tl.abs(deep) >= slope) & (tl.abs(deep) >= upright)
    on_eaves = roof & (on_gable == 0) & (upright >= slope)
    on_x, on_y = _box_face(across, upright, deep)
    pointed = tl.where(cylinder, -1.0, 1.0)
    end_cap = y * pointed > half_y - 1e-3
    widening = 0.5 * half_x / half_y
    radial = tl.sqrt(x * x + z * z)

    box_normal = (
        tl.where(on_x, _sign(across), 0.0),
        tl.where(on_y, _sign(upright), 0.0),
        tl.where(on_x | on_y, 0.0, _sign(deep)),
    )
    roof_normal = (
        tl.where(on_gable | on_eaves, 0.0, _sign(across) / half_x),
        tl.where(on_gable, 0.0, tl.where(on_eaves, 1.0, -0.5 / half_y)),
        tl.where(on_gable, _sign(deep), 0.0),
    )
    ellipsoid_normal = (across / half_x, upright / half_y, deep / half_z)
    round_normal = (
        tl.where(end_cap, 0.0, x),
        tl.where(end_cap, y, tl.where(cylinder, 0.0, -radial * widening)),
        tl.where(end_cap, 0.0, z),
    )
    normal = choose(ellipsoid, ellipsoid_normal, round_normal)
    normal = choose(box, box_normal, choose(roof, roof_normal, normal))
    normal = out_of_yaw(normal, tl.load(thing + 6), tl.load(thing + 7))
    scale = 1 / (tl.sqrt(dot(normal, normal)) + 1e-9)
    return (
        tl.where(on_ground, 0.0, normal[0] * scale),
        tl.where(on_ground, -1.0, normal[1] * scale),
        tl.where(on_ground, 0.0, normal[2] * scale),
    )


@triton.jit
def surface_colour(tables, hit, sunlit, up):
    """Colours before fog; ``sunlit`` is the cosine to the sun, ``up`` the normal's upward part."""
    things, ground, light = tables
    point, row, on_ground, _ = hit
    thing = things + row * look.THING_COLUMNS
    pattern, lamps = _pattern(thing, hit)
    albedo = mix(load3(thing + 8), load3(thing + 11), pattern)
    if tl.max(on_ground.to(tl.int32)) > 0:
        earth = mix(load3(ground), load3(ground + 3), _ground_mixture(ground, hit))
        albedo = choose(on_ground, earth, albedo)
    contact = 1 - saturate((look.EYE_HEIGHT - point[1]) / look.CONTACT_HEIGHT)
    clear = tl.where(on_ground, 1.0, 1 - look.CONTACT_DARKNESS * contact)
    shade = (look.SIDE_AMBIENT + look.UPWARD_AMBIENT * up) * clear
    sun, ambient = load3(light + 6), load3(light + 9)
    lamps = tl.where(on_ground, 0.0, lamps) * tl.load(light + 20)
    return (
        albedo[0] * (ambient[0] * shade + sun[0] * sunlit) + look.LAMP_RED * lamps,
        albedo[1] * (ambient[1] * shade + sun[1] * sunlit) + look.LAMP_GREEN * lamps,
        albedo[2] * (ambient[2] * shade + sun[2] * sunlit) + look.LAMP_BLUE * lamps,
    )


@triton.jit
def fog(distance, light):
    """Share of haze in front of something that far away, 0..1."""
    thickness = distance * tl.load(light + 15)
    return 1 - tl.exp(-thickness * tl.sqrt(thickness))


@triton.jit
def sun_glow(light, ray):
    """The halo's colour: the 24th power of the cosine to the sun."""
    cosine = _sun_cosine(light, ray)
    square = cosine * cosine
    eighth = square * square * square * square
    strength = eighth * eighth * eighth * look.GLOW * tl.load(light + 19)
    red, green, blue = load3(light + 16)
    return red * strength, green * strength, blue * strength


@triton.jit
def sky_colour(ground, light, ray, glow):
    """Colours of rays that meet nothing: gradient, halo, clouds, disc, far hills."""
    dx, dy, dz = ray
    rise = tl.maximum(-dy, 0.0)
    horizon, sun, ambient = load3(light + 3), load3(light + 6), load3(light + 9)
    noise_x, noise_z = tl.load(ground + 6), tl.load(ground + 7)

    sky = mix(horizon, load3(light), 1 - tl.exp(-rise * look.SKY_GRADIENT))
    sky = (sky[0] + glow[0], sky[1] + glow[1], sky[2] + glow[2])
    cloud_x = dx / (rise + look.CLOUD_FLOOR) * look.CLOUD_SCALE + noise_x
    cloud_z = dz / (rise + look.CLOUD_FLOOR) * look.CLOUD_SCALE + noise_z
    billows = 0.65 * value_noise(cloud_x, cloud_z) + 0.35 * value_noise(
        cloud_x * look.CLOUD_DETAIL, cloud_z * look.CLOUD_DETAIL
    )
    cover = saturate((billows - look.CLOUD_THRESHOLD) * look.CLOUD_CONTRAST) * saturate(rise * 5)
    cover = cover * look.CLOUD_OPACITY * tl.load(ground + 8)
    cloud = (
        0.4 * horizon[0] + 0.55 * sun[0] + 0.3 * ambient[0],
        0.4 * horizon[1] + 0.55 * sun[1] + 0.3 * ambient[1],
        0.4 * horizon[2] + 0.55 * sun[2] + 0.3 * ambient[2],
    )
    sky = mix(sky, cloud, cover)
    edge = saturate((_sun_cosine(light, ray) - look.DISC_COSINE) * look.DISC_EDGE)
    sky = mix(sky, load3(light + 16), edge * tl.load(light + 19) * (1 - cover))

    level = tl.sqrt(dx * dx + dz * dz) + 1e-6
    hill_x, hill_z = dx / level + noise_z, dz / level + noise_x
    ridge = 0.65 * value_noise(hill_x * look.HILL_SCALE, hill_z * look.HILL_SCALE)
    ridge += 0.35 * value_noise(hill_x * look.HILL_DETAIL, hill_z * look.HILL_DETAIL)
    ridge = (ridge - look.HILL_FLOOR) * tl.load(ground + 10)
    hill = saturate((ridge - rise / level) * look.HILL_EDGE)
    slope = mix(load3(ground), load3(ground + 3), 0.3)
    slope = (
        slope[0] * (ambient[0] + look.HILL_SUN * sun[0]),
        slope[1] * (ambient[1] + look.HILL_SUN * sun[1]),
        slope[2] * (ambient[2] + look.HILL_SUN * sun[2]),
    )
    return mix(sky, slope, hill * (1 - fog(look.HILL_DISTANCE, light)))


@triton.jit
def value_noise(x, z):
    """Smooth noise in 0..1 over the plane, one lattice point a unit."""
    floor_x, floor_z = tl.floor(x), tl.floor(z)
    column, row = floor_x.to(tl.int32), floor_z.to(tl.int32)
    u, v = x - floor_x, z - floor_z
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    near, near_right = lattice_hash(column, row), lattice_hash(column + 1, row)
    far, far_right = lattice_hash(column, row + 1), lattice_hash(column + 1, row + 1)
    near, far = near + (near_right - near) * u, far + (far_right - far) * u
    return near + (far - near) * v


@triton.jit
def lattice_hash(column, row):
    """A number in 0..1 for each int32 lattice point (wraps around as int32 does)."""
    mixed = (column * look.HASH_X) ^ (row * look.HASH_Z)
    mixed = (mixed ^ ((mixed >> 15) & 0x1FFFF)) * look.HASH_MIX
    mixed = mixed ^ ((mixed >> 12) & 0xFFFFF)
    return (mixed & 0xFFFF).to(tl.float32) / 65535.0


@triton.jit
def _sun_cosine(light, ray):
    return tl.maximum(dot(ray, load3(light + 12)), 0.0)


@triton.jit
def _fraction(value):
    return value - tl.floor(value)


@triton.jit
def _sign(value):
    return tl.where(value > 0, 1.0, -1.0)


@triton.jit
def _kind(row):
    """Masks: box, roof, ellipsoid, cylinder (else cone)."""
    box = row < look.BOX_END
    roof = (row >= look.BOX_END) & (row < look.ROOF_END)
    ellipsoid = (row >= look.ROOF_END) & (row < look.ELLIPSOID_END)
    cylinder = (row >= look.ELLIPSOID_END) & (row < look.CYLINDER_END)
    return box, roof, ellipsoid, cylinder


@triton.jit
def _local_point(thing, point):
    x, y, z = load3(thing)
    offset = (point[0] - x, point[1] - y, point[2] - z)
    return into_yaw(offset, tl.load(thing + 6), tl.load(thing + 7))


@triton.jit
def _box_face(across, upright, deep):
    """Whether a point of a box (in half sizes) lies on an x face or on a y face (else on z)."""
    a, b, c = tl.abs(across), tl.abs(upright), tl.abs(deep)
    on_x = (a >= b) & (a >= c)
    return on_x, (on_x == 0) & (b >= c)


@triton.jit
def _pattern(thing, hit):
    """Share of the accent colour, and the light that lit windows give, both 0..1."""
    point, row, _, footprint = hit
    x, y, z = _local_point(thing, point)
    half_y = tl.load(thing + 4)
    place_x, place_z = tl.load(thing), tl.load(thing + 2)
    box, roof, ellipsoid, cylinder = _kind(row)
    height = y + half_y
    rows = _fraction(height / look.ROW_OF_TILES)
    blotch = value_noise((x + z + place_x) * look.BLOTCH, (y - z + place_z) * look.BLOTCH)
    blotch = saturate((blotch - 0.5) * 2.4 + 0.4)
    band = tl.where(_fraction(height / look.BAND) < 0.5, 1.0, 0.0)
    tier = _fraction(height / look.TIER)
    window, lit = _windows((x, y, z), load3(thing + 3), place_x)

    fade = saturate(footprint * look.DETAIL)
    sharp = tl.where(box, window, tl.where(roof, rows, tl.where(cylinder, band, tier)))
    faded = sharp + (tl.where(box, 0.25, 0.5) - sharp) * fade
    lamps = lit + (look.LIT_SHARE * 0.25 - lit) * fade
    pattern = tl.where(ellipsoid, blotch, faded) * tl.load(thing + 15)
    return pattern, tl.where(box, lamps, 0.0)


@triton.jit
def _windows(point, half, place_x):
    """Whether a point of a box is in a window, and in one with light behind it (0 or 1)."""
    x, y, z = point
    on_x, on_y = _box_face(x / half[0], y / half[1], z / half[2])
    offset, length = tl.where(on_x, z, x), tl.where(on_x, half[2], half[0])
    columns = tl.maximum(tl.floor(2 * length / look.WINDOW_PITCH + 0.5), 1.0)
    storeys = tl.maximum(tl.floor(2 * half[1] / look.STOREY + 0.5), 1.0)
    u = (offset / length * 0.5 + 0.5) * columns
    v = (0.5 - y / half[1] * 0.5) * storeys
    within = (tl.abs(_fraction(u) - 0.5) < look.WINDOW_WIDTH) & (on_y == 0)
    within = within & (_fraction(v) > look.WINDOW_LOW) & (_fraction(v) < look.WINDOW_HIGH)
    outward = tl.where(on_x, x, z) > 0
    wall = tl.where(on_x, 17, 0) + tl.where(outward, 31, 0)
    number = tl.floor(u).to(tl.int32) + tl.floor(place_x * 7).to(tl.int32) + wall
    occupied = lattice_hash(number, tl.floor(v).to(tl.int32)) < look.LIT_SHARE
    return tl.where(within, 1.0, 0.0), tl.where(within & occupied, 1.0, 0.0)


@triton.jit
def _ground_mixture(ground, hit):
    """Share of the ground's second colour."""
    point, _, _, footprint = hit
    x, _, z = point
    noise_x, noise_z, style = tl.load(ground + 6), tl.load(ground + 7), tl.load(ground + 9)
    patches = value_noise(x * look.PATCH + noise_x, z * look.PATCH + noise_z)
    speckles = value_noise(x * look.SPECKLE + noise_z, z * look.SPECKLE + noise_x)
    fade = 1 - saturate(footprint * look.GROUND_DETAIL)
    natural = 0.45 + 1.3 * (patches - 0.5) + 0.8 * (speckles - 0.5) * fade
    to_joint = 0.5 - tl.maximum(
        tl.abs(_fraction(x * look.TILE) - 0.5), tl.abs(_fraction(z * look.TILE) - 0.5)
    )
    width = look.TILE_LINE + 0.5 * footprint
    joint = saturate(1 - to_joint / look.TILE / width) * fade
    checks = tl.floor(x * look.CHECK) + tl.floor(z * look.CHECK)
    checks = checks - 2 * tl.floor(checks * 0.5)
    checked = 0.8 * (0.5 + (checks - 0.5) * fade) + 0.2 * patches
    tiled = 0.45 * natural + 0.9 * joint
    return saturate(tl.where(style > 1.5, checked, tl.where(style > 0.5, tiled, natural)))
