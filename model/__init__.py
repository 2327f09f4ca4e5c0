"""Worlds that a video diffusion model invents as one walks: the library's public names."""

from model.camera.intrinsics import Intrinsics
from model.camera.pose import Poses
from model.camera.rigs import RIGS, FlyRig, Motion, RigState
from model.camera.trajectory import Trajectory
from model.config import WORLDS, WorldConfig
from model.engine import Engine, Frames, Layout, RankLayout, Rollout, Scene, Snapshot
from model.errors import (
    BadImage,
    BadPoses,
    BadSetting,
    BadWeights,
    MissingWeights,
    RolloutClosed,
    UnknownWorld,
    WorldError,
)
from model.image import fit_image, read_image
from model.loading import load

__all__ = [
    "RIGS",
    "WORLDS",
    "BadImage",
    "BadPoses",
    "BadSetting",
    "BadWeights",
    "Engine",
    "FlyRig",
    "Frames",
    "Intrinsics",
    "Layout",
    "MissingWeights",
    "Motion",
    "Poses",
    "RankLayout",
    "RigState",
    "Rollout",
    "RolloutClosed",
    "Scene",
    "Snapshot",
    "Trajectory",
    "UnknownWorld",
    "WorldConfig",
    "WorldError",
    "fit_image",
    "load",
    "read_image",
]
