"""Rigs: how held keys move a camera.

Motion is exact: while an input is held the camera turns and travels at constant speed, along a
circular arc when it does both, and the pose after it is a closed form. Splitting a motion in two
therefore changes nothing, and neither does the rate at which its path is sampled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from model.camera.pose import Poses


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What is held, in shares of the rig's full speed: 1 is a held key, 0 is rest.

    ``yaw`` > 0 turns right, ``pitch`` > 0 looks up; a mouse may ask for more than 1 of either.
    """

    right: float = 0.0
    down: float = 0.0
    forward: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


@dataclass(frozen=True, slots=True)
class RigState:
    """Where a rig stands: position in the world's units, yaw (right) and pitch (up) in degrees."""

    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    pitch: float = 0.0


class FlyRig:
    """A camera that stays upright: yaw about the world's y, pitch about its own x, never a roll.

    Walking keeps to the ground wherever it looks; ``down`` moves along the world's y. Two held
    directions add up, as in the official integrator (LingBot-World
    ``wan/utils/wasd_ijkl_to_c2ws.py``), which takes the same path in whole video frames.

    Args:
        walk_speed: units a second at full speed.
        turn_speed: degrees a second at full speed.
        pitch_limit: degrees it can look up or down; it stops there.
    """

    def __init__(self, walk_speed: float, turn_speed: float, pitch_limit: float = 85.0) -> None:
        self.walk_speed = walk_speed
        self.turn_speed = turn_speed
        self.pitch_limit = pitch_limit
        self._state = RigState()

    @property
    def pose(self) -> Poses:
        """The camera now, c2w ``[4, 4]``."""
        yaw, pitch = math.radians(self._state.yaw), math.radians(self._state.pitch)
        sine, cosine = math.sin(yaw), math.cos(yaw)
        lift, level = math.sin(pitch), math.cos(pitch)
        c2w_44 = np.eye(4)
        c2w_44[:3, 0] = cosine, 0, -sine  # right: its y is zero, whatever the angles are
        c2w_44[:3, 1] = sine * lift, level, cosine * lift  # down
        c2w_44[:3, 2] = sine * level, -lift, cosine * level  # forward
        c2w_44[:3, 3] = self._state.position
        return c2w_44

    def advance(self, motion: Motion, seconds: float) -> Poses:
        """Hold ``motion`` for ``seconds``; returns the new pose, c2w ``[4, 4]``."""
        here = self._state
        turn = motion.yaw * self.turn_speed * seconds
        look = here.pitch + motion.pitch * self.turn_speed * seconds
        # The chord of an arc points along the heading halfway through the turn, and is shorter
        # than the arc by sinc(half the turn).
        halfway = math.radians(here.yaw + turn / 2)
        chord = self.walk_speed * seconds * float(np.sinc(turn / 360))
        sine, cosine = math.sin(halfway), math.cos(halfway)
        x, y, z = here.position
        self._state = RigState(
            position=(
                x + chord * (motion.forward * sine + motion.right * cosine),
                y + motion.down * self.walk_speed * seconds,
                z + chord * (motion.forward * cosine - motion.right * sine),
            ),
            yaw=math.remainder(here.yaw + turn, 360),  # wrapped: digits are not spent on full turns
            pitch=min(max(look, -self.pitch_limit), self.pitch_limit),
        )
        return self.pose

    def path(self, segments: Sequence[tuple[float, Motion]], frames: int, fps: float) -> Poses:
        """Follow timed motions and return the pose at each frame's time, ``[frames, 4, 4]``.

        ``segments`` are (seconds, motion), laid end to end from now; after the last one the camera
        rests. Frame times are 1/fps, 2/fps, ...; the rig ends at the last frame, so what a segment
        holds beyond it is dropped. A 30 ms tap moves for 30 ms, whatever the frame rate.
        """
        ends = accumulate((seconds for seconds, _ in segments), initial=0.0)
        timeline = [
            (*span, motion) for span, (_, motion) in zip(pairwise(ends), segments, strict=True)
        ]
        poses_F44 = np.empty((frames, 4, 4))
        for frame in range(frames):
            for start, end, motion in timeline:
                overlap = min(end, (frame + 1) / fps) - max(start, frame / fps)
                if overlap > 0:
                    self.advance(motion, overlap)
            poses_F44[frame] = self.pose
        return poses_F44

    def snapshot(self) -> RigState:
        """Where the rig stands, for ``restore``."""
        return self._state

    def restore(self, state: RigState) -> None:
        """Stand where ``state`` says."""
        self._state = state


RIGS = {"fly": FlyRig}
