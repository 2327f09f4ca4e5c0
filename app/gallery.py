"""Where a world may begin: the scenes that are shipped, and pictures that players sent."""

import asyncio
import secrets
from collections import OrderedDict
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.errors import UnknownScene
from app.protocol import Start
from model import Scene, WorldConfig, read_image

PICTURES_KEPT = 32


class SceneCard(msgspec.Struct, frozen=True):
    """A row of ``scenes.json``: ``image`` is a file beside it."""

    name: str
    title: str
    prompt: str
    image: str


class Gallery:
    """The scenes of a folder and the newest uploads, all at the size of one world.

    Args:
        folder: holds ``scenes.json`` and its pictures.
        world: whose height and width first frames take.
    """

    def __init__(self, folder: Path, world: WorldConfig) -> None:
        rows = msgspec.json.decode((folder / "scenes.json").read_bytes(), type=list[SceneCard])
        self.scenes = {scene.name: scene for scene in rows}
        self.folder = folder
        self._size = (world.height, world.width)
        self._uploads: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    async def keep(self, picture: bytes) -> str:
        """Keep a player's picture and return its id; the oldest of too many goes.

        Raises:
            BadImage: it cannot be a first frame.
        """
        first_frame_HW3 = await asyncio.to_thread(read_image, picture, *self._size)
        name = secrets.token_urlsafe(12)
        self._uploads[name] = first_frame_HW3
        while len(self._uploads) > PICTURES_KEPT:
            self._uploads.popitem(last=False)
        return name

    def scene(self, start: Start) -> Scene:
        """The beginning that a page asks for; an empty prompt stands for the scene's own.

        Raises:
            UnknownScene: there is no such scene or upload.
            BadImage: the scene's file is broken.
        """
        if start.image is not None:
            if start.image not in self._uploads:
                raise UnknownScene(start.image)
            return Scene(self._uploads[start.image], start.prompt, start.seed)
        card = self.scenes.get(start.scene or "")
        if card is None:
            raise UnknownScene(start.scene or "")
        first_frame_HW3 = read_image(self.folder / card.image, *self._size)
        return Scene(first_frame_HW3, start.prompt or card.prompt, start.seed)
