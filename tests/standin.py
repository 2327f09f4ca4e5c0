"""A world without networks: the same interface as the engine, drawn with numpy in a millisecond.

It shows a chequered ground under a sky whose colour is the prompt's, so that motion and prompts
are visible in the picture. It can be slow, and it can fail, as a test wants.
"""

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from model import WORLDS, Frames, Layout, Poses, RankLayout, Rollout, Scene, Snapshot, WorldConfig


@dataclass
class Behaviour:
    """What the stand-in does besides drawing."""

    chunk_seconds: float = 0.0
    fail_at_chunk: int | None = None
    failing_prompt: str | None = None
    """Only worlds that were opened with this prompt fail; None: all do."""


class StandInRollout:
    """One player's chequered plain."""

    def __init__(self, config: WorldConfig, behaviour: Behaviour, scene: Scene) -> None:
        self._config, self._behaviour, self._scene = config, behaviour, scene
        self._prompt = scene.prompt
        self.chunks = 0
        self.closed = False
        self.stage_seconds: dict[str, float] = {}

    @property
    def frames_needed(self) -> int:
        return self._config.chunk_frames if self.chunks else self._config.first_chunk_frames

    def step(self, c2w_F44: Poses) -> Iterator[Frames]:
        assert c2w_F44.shape == (self.frames_needed, 4, 4)
        fails = self._behaviour.failing_prompt in (None, self._scene.prompt)
        if fails and self._behaviour.fail_at_chunk == self.chunks:
            raise ZeroDivisionError("the stand-in was told to fail")
        started = time.perf_counter()
        time.sleep(self._behaviour.chunk_seconds)
        first = 1 if self.chunks == 0 else self._config.time_stride
        for poses in np.split(c2w_F44, range(first, len(c2w_F44), self._config.time_stride)):
            yield np.stack([self._draw(pose) for pose in poses])
        self.chunks += 1
        self.stage_seconds = {"denoise": time.perf_counter() - started, "commit": 0.0}

    def _draw(self, c2w_44: Poses) -> Frames:
        height, width = self._config.height, self._config.width
        focal = self._config.focal * width
        x_W = (np.arange(width) + 0.5 - width / 2) / focal
        y_H = (np.arange(height) + 0.5 - height / 2) / focal
        rays_HW3 = np.stack(np.broadcast_arrays(x_W[None], y_H[:, None], 1.0), axis=-1)
        rays_HW3 = rays_HW3 @ c2w_44[:3, :3].T
        down_HW = np.maximum(rays_HW3[..., 1], 1e-3)
        ground_HW2 = c2w_44[[0, 2], 3] + rays_HW3[..., [0, 2]] * 1.6 / down_HW[..., None]
        tile_HW = np.floor(ground_HW2).sum(axis=-1) % 2
        haze_HW = np.clip(down_HW * 5, 0, 1)
        tint = np.frombuffer(zlib.crc32(self._prompt.encode()).to_bytes(4, "big"), np.uint8)[:3]
        sky = 120 + tint / 3
        earth_HW3 = np.array([70, 110, 70]) + 60 * tile_HW[..., None]
        mixed = sky + (earth_HW3 - sky) * haze_HW[..., None]
        return np.where(rays_HW3[..., 1:2] > 0, mixed, sky).astype(np.uint8)

    def set_prompt(self, prompt: str) -> None:
        self._prompt = prompt

    def snapshot(self) -> Snapshot:
        raise AssertionError("the demo takes no snapshots")

    def rewind(self, chunks: int) -> None:
        raise AssertionError("the demo does not rewind")

    def close(self) -> None:
        self.closed = True


@dataclass
class StandInEngine:
    """Opens chequered plains of a world's size."""

    config: WorldConfig = WORLDS["small"]
    behaviour: Behaviour = field(default_factory=Behaviour)
    rollouts: list[StandInRollout] = field(default_factory=list)

    def open(self, scene: Scene) -> Rollout:
        self.rollouts.append(StandInRollout(self.config, self.behaviour, scene))
        return self.rollouts[-1]

    def restore(self, snapshot: Snapshot) -> Rollout:
        raise AssertionError("the demo restores nothing")

    def warm_up(self) -> Iterator[float]:
        yield 0.5
        yield 1.0

    def layout(self) -> Layout:
        rank = RankLayout(0, "cpu", (0, 104), 4, 0, 0, 0, {})
        return Layout(self.config.name, 10, 1, 1, len(self.rollouts), (rank,))

    def close(self) -> None:
        pass
