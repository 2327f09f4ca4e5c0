"""What both renderers read: the columns of the tables of a world, and the constants of its look.

World axes: x right, y DOWN, z forward, metres; the eye is at y = 0 and the ground at y = 1.6.

Table of things [B, THINGS, 16], one row a primitive, in slots by kind (``BOXES`` .. ``CONES``):
centre x y z | half size x y z | cos, sin of its yaw | colour r g b | accent r g b |
radius of its bounding sphere (0: not there) | strength of its pattern.
A roof's ridge runs along its own z; roofs and cones point up and fill their half sizes.

Table of grounds [B, 12]: colour a r g b | colour b r g b | noise offset x z | cloud cover |
style (0 natural, 1 tiled, 2 checked) | hill height (tangent) | spare zero.

Table of light [B, F, 21], one row a frame: zenith r g b | horizon r g b | sun light r g b |
ambient light r g b | direction to the sun x y z | 1 / fog distance | disc r g b |
disc strength | lamp strength.
"""

EYE_HEIGHT = 1.6

HOUSES, BOULDERS, PILLARS, CONIFERS, BROADLEAVES = 8, 7, 6, 5, 4
TREES = CONIFERS + BROADLEAVES
# Slots by kind, as half-open ends: boxes, roofs, ellipsoids, cylinders, cones.
BOX_END = HOUSES
ROOF_END = BOX_END + HOUSES
ELLIPSOID_END = ROOF_END + BOULDERS + BROADLEAVES
CYLINDER_END = ELLIPSOID_END + PILLARS + TREES
CONE_END = CYLINDER_END + CONIFERS

THING_COLUMNS = 16
RADIUS = 14
GROUND_COLUMNS = 12
LIGHT_COLUMNS = 21

MISS = 1e4  # ray parameter of a ray that hits nothing
NEAREST = 1e-3  # hits nearer than this are the ray's own surface
FAR_GROUND = 900.0  # ground farther than this is sky
SHADOW_BIAS = 2e-2  # metres along the normal before a shadow ray starts

# Surfaces. Lengths in metres; ``DETAIL`` fades patterns finer than a few pixels.
WINDOW_PITCH, STOREY = 1.5, 1.7
WINDOW_WIDTH, WINDOW_LOW, WINDOW_HIGH = 0.27, 0.34, 0.80  # in units of a window's cell
LIT_SHARE = 0.65
ROW_OF_TILES, BAND, TIER = 0.55, 1.3, 0.85
BLOTCH = 1.1  # blotches a metre on boulders and crowns
DETAIL = 2.2
LAMP_RED, LAMP_GREEN, LAMP_BLUE = 0.82, 0.60, 0.30
SIDE_AMBIENT, UPWARD_AMBIENT = 0.86, 0.18
CONTACT_DARKNESS, CONTACT_HEIGHT = 0.40, 1.1

# Ground.
PATCH, SPECKLE = 0.22, 0.9  # noise cells a metre
TILE, TILE_LINE = 0.25, 0.10  # tiles a metre, half width of a joint in metres
CHECK = 0.33  # checks a metre
GROUND_DETAIL = 1.3

# Sky.
SKY_GRADIENT = 4.5
GLOW, GLOW_IN_FOG = 0.24, 0.5
DISC_COSINE, DISC_EDGE = 0.9965, 900.0
CLOUD_SCALE, CLOUD_DETAIL, CLOUD_FLOOR = 0.9, 2.3, 0.12
CLOUD_THRESHOLD, CLOUD_CONTRAST, CLOUD_OPACITY = 0.5, 3.2, 0.8
HILL_DISTANCE = 42.0  # metres, for the fog in front of them
HILL_SCALE, HILL_DETAIL, HILL_EDGE = 2.6, 7.3, 90.0
HILL_FLOOR, HILL_SUN = 0.25, 0.45

# Integer hash of a lattice point: primes of Teschner et al. 2003 ("Optimized Spatial Hashing"),
# finalizer constant of Wellons' hash-prospector. All fit in a signed 32-bit integer.
HASH_X, HASH_Z, HASH_MIX = 73856093, 19349663, 739982445
