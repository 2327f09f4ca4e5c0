"""One open world and the chunk that is made of a player's keys; lives in the engine's thread."""

import io
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.inbox import Heard, Inbox
from app.outbox import Frame
from app.protocol import FrameHeader
from model import RIGS, Engine, Rollout, RolloutClosed, Scene

JPEG_QUALITY = 85


class Play:
    """A rollout, the rig that walks through it, and the count of what was made.

    Args:
        engine: opens the rollout.
        scene: where the world begins.
        inbox: what the player's hands do.
        deliver: takes each latent's frames as soon as they are there.
    """

    def __init__(
        self, engine: Engine, scene: Scene, inbox: Inbox, deliver: Callable[[list[Frame]], None]
    ) -> None:
        config = engine.config
        self._engine = engine
        self._scene = scene
        self._fps = config.fps
        self._inbox = inbox
        self._deliver = deliver
        self._rig = RIGS["fly"](config.walk_speed, config.turn_speed, config.pitch_limit)
        self._rollout: Rollout | None = None
        self._chunks = 0
        self._frames = 0

    def open(self) -> None:
        """Open the rollout."""
        self._rollout = self._engine.open(self._scene)

    def step(self) -> dict[str, float]:
        """Make the next chunk from the keys as they are now; returns its seconds by stage.

        ``total`` is all of it, with the frames' JPEGs.

        Raises:
            RolloutClosed: the world is not open.
        """
        rollout = self._opened()
        sampled = time.monotonic()
        c2w_F44, heard = self._poses(rollout.frames_needed)
        waited = sampled - heard.arrived if heard.seq else 0.0
        for frames_FHW3 in rollout.step(c2w_F44):
            jpegs = [_jpeg(frame_HW3) for frame_HW3 in frames_FHW3]
            generated = time.monotonic() - sampled
            batch = [
                Frame(
                    FrameHeader(
                        number=self._frames + index,
                        chunk=self._chunks,
                        input_seq=heard.seq,
                        input_at_ms=heard.at_ms,
                        waited_ms=waited * 1000,
                        generated_ms=generated * 1000,
                        c2w_44=c2w_44,
                    ),
                    jpeg,
                )
                for index, (jpeg, c2w_44) in enumerate(zip(jpegs, c2w_F44, strict=False))
            ]
            self._deliver(batch)
            self._frames += len(batch)
            c2w_F44 = c2w_F44[len(batch) :]
        self._chunks += 1
        return rollout.stage_seconds | {"total": time.monotonic() - sampled}

    def set_prompt(self, text: str) -> int:
        """Go on with another prompt; returns the first chunk that follows it.

        Raises:
            RolloutClosed: the world is not open.
        """
        self._opened().set_prompt(text)
        return self._chunks

    def close(self) -> None:
        """Let go of what the rollout holds."""
        if self._rollout:
            self._rollout.close()
            self._rollout = None

    def _opened(self) -> Rollout:
        if self._rollout is None:
            raise RolloutClosed
        return self._rollout

    def _poses(self, needed: int) -> tuple[NDArray[np.float64], Heard]:
        """The camera's way through the next chunk, c2w ``[F, 4, 4]``, and the last input in it.

        A world's very first pose is the given image's own.
        """
        given = [self._rig.pose] if self._chunks == 0 else []
        moving = needed - len(given)
        if not moving:
            return np.stack(given), Heard()
        segments, heard = self._inbox.sample(moving / self._fps)
        return np.stack([*given, *self._rig.path(segments, moving, self._fps)]), heard


def _jpeg(frame_HW3: NDArray[np.uint8]) -> bytes:
    """A picture as JPEG with halved colour resolution."""
    file = io.BytesIO()
    Image.fromarray(frame_HW3).save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    return file.getvalue()
