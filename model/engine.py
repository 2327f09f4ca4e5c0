"""What players share (an engine), what one player has (a rollout), and what a world's state is.

Legend: F frames or poses, H W pixels, B batch, C channels, h w latent rows and columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.camera.intrinsics import Intrinsics
from model.camera.pose import Poses
from model.config import WorldConfig

Frames = NDArray[np.uint8]
"""Video frames ``[F, H, W, 3]``, sRGB."""


@dataclass(frozen=True, eq=False)
class Scene:
    """How a world begins.

    ``first_frame`` is ``[H, W, 3]`` uint8 at the world's size (see ``read_image``); without
    ``intrinsics`` the world's own lens is taken. Equal scenes, poses and prompts give equal frames.
    """

    first_frame: NDArray[np.uint8]
    prompt: str
    seed: int
    intrinsics: Intrinsics | None = None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A world's whole state: all else (keys and values, decoder state) is rebuilt from it.

    ``latents`` ``[C, F, h, w]`` are float16 and were rounded to it *before* they were committed,
    so nothing is lost; ``c2w`` holds each latent's pose, ``prompts`` one prompt a chunk.
    """

    scene: Scene
    latents: NDArray[np.float16]
    c2w: Poses
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class RankLayout:
    """One rank's part in the engine, as of the last chunk."""

    rank: int
    device: str
    tokens: tuple[int, int]
    """Which of a chunk's tokens it holds between attentions: first, one past the last."""
    heads: int
    kv_bytes: int
    conditioner_hits: int
    conditioner_misses: int
    stage_ms: dict[str, float]


@dataclass(frozen=True)
class Layout:
    """The engine at work."""

    world: str
    window: int
    sink: int
    chunk: int
    rollouts: int
    ranks: tuple[RankLayout, ...]


class Rollout(Protocol):
    """One player's world as it goes on."""

    @property
    def frames_needed(self) -> int:
        """How many poses the next ``step`` takes, one a video frame it will yield."""
        ...

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Host seconds of the last chunk by stage: camera, denoise, decode, commit."""
        ...

    def step(self, c2w_F44: Poses) -> Iterator[Frames]:
        """Invent the next chunk along these poses; yields each latent's frames once decoded.

        The chunk is committed also when the caller stops reading. Raises BadPoses before
        anything has changed.
        """
        ...

    def set_prompt(self, prompt: str) -> None:
        """From the next chunk on, this prompt."""
        ...

    def snapshot(self) -> Snapshot:
        """The world as of the last whole chunk."""
        ...

    def rewind(self, chunks: int) -> None:
        """Go back by so many chunks, at most to the world's beginning."""
        ...

    def close(self) -> None:
        """Let go of the memory; the rollout cannot go on."""
        ...


class Engine(Protocol):
    """The loaded networks; opens as many rollouts as memory holds. Not to be shared by threads."""

    @property
    def config(self) -> WorldConfig:
        """The world it plays."""
        ...

    def open(self, scene: Scene) -> Rollout:
        """Begin a world. Raises BadImage if the first frame is not of the world's size."""
        ...

    def restore(self, snapshot: Snapshot) -> Rollout:
        """Go on with a world exactly where the snapshot was taken."""
        ...

    def warm_up(self) -> Iterator[float]:
        """Run the very path that play runs until nothing is slow any more; yields progress 0..1."""
        ...

    def layout(self) -> Layout:
        """Who does what, and how long it took."""
        ...

    def close(self) -> None:
        """Let go of networks and rollouts."""
        ...
