"""Rigid camera poses: checked, inverted, differenced and resampled in float64.

Shape suffixes: F = poses along a path, 4 = row or column of a pose, T = requested times.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation, Slerp

from model.errors import BadPoses

Poses = NDArray[np.float64]
"""Camera-to-world matrices ``[..., 4, 4]``, OpenCV axes."""

RIGID_TOLERANCE = 1e-3
"""How far R.T @ R may be from identity: above what float16 files lose, below any real shear."""


def check_poses(array: ArrayLike) -> Poses:
    """Return ``array`` as float64 poses, ``[4, 4]`` or with leading axes.

    Raises:
        BadPoses: wrong shape, not numbers, not finite, sheared, mirrored, or a bottom row
            other than 0 0 0 1.
    """
    try:
        poses = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadPoses("they are not an array of numbers") from error
    if poses.ndim < 2 or poses.shape[-2:] != (4, 4) or poses.size == 0:
        raise BadPoses(f"their shape is {poses.shape}, not [..., 4, 4]")
    if not np.isfinite(poses).all():
        raise BadPoses("they hold values that are not finite")
    if not np.allclose(poses[..., 3, :], (0, 0, 0, 1), atol=RIGID_TOLERANCE):
        raise BadPoses("the bottom row is not 0 0 0 1")
    rotation = poses[..., :3, :3]
    gram = rotation.swapaxes(-1, -2) @ rotation
    if not np.allclose(gram, np.eye(3), atol=RIGID_TOLERANCE):
        raise BadPoses("the rotation is not orthonormal")
    if (np.linalg.det(rotation) < 0).any():
        raise BadPoses("the rotation mirrors the world")
    return poses


def invert(c2w: Poses) -> Poses:
    """Invert rigid poses ``[..., 4, 4]`` by transposition: exact, no linear solve."""
    inverse = np.zeros_like(c2w)
    inverse[..., :3, :3] = c2w[..., :3, :3].swapaxes(-1, -2)
    inverse[..., :3, 3:] = -inverse[..., :3, :3] @ c2w[..., :3, 3:]
    inverse[..., 3, 3] = 1
    return inverse


def frame_deltas(c2w_F44: Poses, previous_44: Poses | None, world_scale: float) -> Poses:
    """Each pose seen from the one before it, ``inv(P[i-1]) @ P[i]``, as ``[F, 4, 4]``.

    ``previous_44`` is the pose before the first one; ``None`` opens a path, whose first delta is
    identity. Translations are divided by ``world_scale``, a constant of the world, where the
    official code divides by the largest step of the whole path: a stream has no whole path, and a
    maximum would make one fast step slow down all later ones. Otherwise this is
    ``compute_relative_poses(framewise=True)`` of LingBot-World's ``wan/utils/cam_utils.py``.

    Positions are subtracted before they are rotated: far from the origin nothing cancels, and a
    camera at rest moves by exactly zero.
    """
    first = c2w_F44[0] if previous_44 is None else previous_44
    before_F44 = np.concatenate([first[None], c2w_F44[:-1]])
    to_before = before_F44[:, :3, :3].swapaxes(-1, -2)
    steps = c2w_F44[:, :3, 3:] - before_F44[:, :3, 3:]
    deltas_F44 = np.zeros_like(c2w_F44)
    deltas_F44[:, :3, :3] = to_before @ c2w_F44[:, :3, :3]
    deltas_F44[:, :3, 3:] = to_before @ steps / world_scale
    deltas_F44[:, 3, 3] = 1
    if previous_44 is None:
        deltas_F44[0] = np.eye(4)
    return deltas_F44


def resample(c2w_F44: Poses, times: ArrayLike) -> Poses:
    """Poses at ``times``, counted in poses of the path (0 to F-1, with fractions): ``[T, 4, 4]``.

    Translations are interpolated linearly, rotations along the shortest arc (SLERP), as in
    LingBot-World's ``wan/utils/cam_utils.py``. The path needs two poses or more.
    """
    asked = np.asarray(times, dtype=np.float64)
    knots = np.arange(len(c2w_F44))
    resampled = np.zeros((len(asked), 4, 4))
    resampled[:, :3, :3] = Slerp(knots, Rotation.from_matrix(c2w_F44[:, :3, :3]))(asked).as_matrix()
    for axis in range(3):
        resampled[:, axis, 3] = np.interp(asked, knots, c2w_F44[:, axis, 3])
    resampled[:, 3, 3] = 1
    return resampled
