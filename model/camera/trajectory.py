"""A camera's path through a world."""

from dataclasses import dataclass

from model.camera.intrinsics import Intrinsics
from model.camera.pose import Poses


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """One pose a video frame, ``c2w_F44`` ``[F, 4, 4]`` at ``fps``, all through the same lens."""

    c2w_F44: Poses
    intrinsics: Intrinsics
    fps: float
