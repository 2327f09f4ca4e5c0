"""How biomes, times of day and weather look: rows of colours and numbers."""

from dataclasses import dataclass

Colour = tuple[float, float, float]

NATURAL, TILED, CHECKED = 0.0, 1.0, 2.0  # ground styles


@dataclass(frozen=True, slots=True, kw_only=True)
class Biome:
    """Colours (``rrggbb``) of a biome and the chances of its shapes.

    ``hills`` is the greatest elevation of the far hills (tangent of the angle above the horizon),
    ``roofed`` the share of houses with a gabled roof, ``storeys`` stretches the houses upwards.
    """

    ground: tuple[str, str]
    walls: tuple[str, str, str, str]
    windows: str
    roofs: tuple[str, str]
    stones: tuple[str, str]
    pillars: tuple[str, str]
    leaves: tuple[str, str]
    trunk: str
    hills: float
    roofed: float
    storeys: float = 1.0
    style: float = NATURAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Daylight:
    """Sky colours (``rrggbb``), light colours (factors), and the sun's or moon's elevation."""

    zenith: str
    horizon: str
    disc: str
    sun: Colour
    ambient: Colour
    elevation_deg: float
    lamps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """The distance in metres at which fog takes over, and how far it greys the sky (0..1)."""

    fog_distance: float
    fogginess: float


BIOMES: dict[str, Biome] = {
    "meadow": Biome(
        ground=("4a8634", "93ba50"),
        walls=("f0e0c0", "d98a6a", "c9d3dc", "e8c88a"),
        windows="3d5366",
        roofs=("a8443a", "6b4a5a"),
        stones=("83857f", "b8b5a9"),
        pillars=("d8d2c0", "8a8474"),
        leaves=("2f6b32", "7ab648"),
        trunk="6b4a2f",
        hills=0.16,
        roofed=1.0,
    ),
    "desert": Biome(
        ground=("c2935a", "e8cb90"),
        walls=("d9b27a", "b97a4a", "efe0b9", "c08a5a"),
        windows="4a3426",
        roofs=("8c4a2f", "c46a3a"),
        stones=("a9643a", "d69c62"),
        pillars=("e6cfa0", "a5653a"),
        leaves=("4f7d36", "8fae50"),
        trunk="7d5a34",
        hills=0.12,
        roofed=0.15,
    ),
    "snow": Biome(
        ground=("d9e4ee", "a9bcd2"),
        walls=("b23a48", "8a6a4f", "5c7f9e", "e0d6c8"),
        windows="34424f",
        roofs=("eef3f8", "9fb4c8"),
        stones=("76838f", "c9d4de"),
        pillars=("8fb0c9", "eef4f8"),
        leaves=("2f5d50", "cfe3dc"),
        trunk="5b4636",
        hills=0.34,
        roofed=1.0,
    ),
    "city": Biome(
        ground=("8b8e94", "62666d"),
        walls=("7d8597", "b08968", "4a6fa5", "c9c6c0"),
        windows="2b3a4a",
        roofs=("6d4c41", "455a64"),
        stones=("93938f", "c2beb5"),
        pillars=("c8c8c8", "d9803a"),
        leaves=("3c7a44", "6aa84f"),
        trunk="59473a",
        hills=0.10,
        roofed=0.12,
        storeys=2.2,
        style=TILED,
    ),
    "mars": Biome(
        ground=("8f3a26", "cc7346"),
        walls=("e8e4dc", "b9b4c4", "d8853b", "8a8f9a"),
        windows="2a5d73",
        roofs=("3b3b47", "c0c4cc"),
        stones=("5e3230", "a8553a"),
        pillars=("4a4654", "d8c8b8"),
        leaves=("7a2f5b", "c0609a"),
        trunk="42303a",
        hills=0.26,
        roofed=0.3,
    ),
    "candy": Biome(
        ground=("e58fc6", "a78be8"),
        walls=("f9e04c", "4cc9f0", "f25f5c", "ffffff"),
        windows="5a3d8a",
        roofs=("7b5cff", "ff8fab"),
        stones=("ff9ad5", "7be0d0"),
        pillars=("ffffff", "f25f5c"),
        leaves=("3ddc97", "b8f2e6"),
        trunk="f7f7ff",
        hills=0.22,
        roofed=0.8,
        style=CHECKED,
    ),
}

TIMES: dict[str, Daylight] = {
    "day": Daylight(
        zenith="3f86d8",
        horizon="cfe6f7",
        disc="fffad8",
        sun=(0.80, 0.76, 0.66),
        ambient=(0.47, 0.51, 0.58),
        elevation_deg=48.0,
        lamps=0.0,
    ),
    "sunset": Daylight(
        zenith="4b4a8a",
        horizon="f7a564",
        disc="ffd98c",
        sun=(1.10, 0.62, 0.34),
        ambient=(0.36, 0.31, 0.42),
        elevation_deg=15.0,
        lamps=0.4,
    ),
    "night": Daylight(
        zenith="0a1028",
        horizon="263a66",
        disc="ebf2ff",
        sun=(0.26, 0.33, 0.50),
        ambient=(0.17, 0.21, 0.34),
        elevation_deg=36.0,
        lamps=1.0,
    ),
}

WEATHERS: dict[str, Air] = {
    "clear": Air(fog_distance=75.0, fogginess=0.0),
    "foggy": Air(fog_distance=15.0, fogginess=1.0),
}

THINGS: tuple[str, ...] = ("houses", "boulders", "pillars", "trees")


def rgb(hexadecimal: str) -> Colour:
    """``rrggbb`` as three numbers in 0..1."""
    red, green, blue = (int(hexadecimal[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue
