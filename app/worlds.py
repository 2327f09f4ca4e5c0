"""From flags to a world: its row of ``WORLDS``, played at the size that was asked for."""

from dataclasses import fields, replace

from app.settings import Shape
from model import WORLDS, BadSetting, UnknownWorld, WorldConfig

CELL = 16  # pixels of a token's side: latents are 8 times smaller, and tokens take 2 x 2 of them


def chosen_world(name: str, shape: Shape) -> WorldConfig:
    """The world ``name`` with every number that ``shape`` sets.

    Raises:
        UnknownWorld: no row has this name.
        BadSetting: a number that no world can be played at.
    """
    if name not in WORLDS:
        raise UnknownWorld(name, tuple(WORLDS))
    wanted = {
        field.name: value
        for field in fields(Shape)
        if (value := getattr(shape, field.name)) is not None
    }
    world = replace(WORLDS[name], **wanted)
    for side in ("height", "width"):
        pixels = getattr(world, side)
        if pixels < CELL or pixels % CELL:
            raise BadSetting(side, pixels, f"it must be a multiple of {CELL}")
    if world.chunk < 1:
        raise BadSetting("chunk", world.chunk, "a chunk has at least 1 latent")
    if world.sink < 0:
        raise BadSetting("sink", world.sink, "it cannot be negative")
    if world.window < world.sink + world.chunk:
        remedy = f"sink and chunk must fit into it, so at least {world.sink + world.chunk}"
        raise BadSetting("window", world.window, remedy)
    return world
