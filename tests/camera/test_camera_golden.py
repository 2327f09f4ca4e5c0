"""Our camera against outputs of the official modules (Robbyant/lingbot-world at a43bec7)."""

from pathlib import Path

import numpy as np
import pytest

from model.camera.intrinsics import Intrinsics
from model.camera.pose import frame_deltas, resample
from model.camera.rays import camera_embedding, plucker_rays
from model.camera.rigs import FlyRig, Motion

pytestmark = pytest.mark.cpu

FPS = 16
LATENTS = 18  # 77 video frames make 20 latents; chunks of three keep 18


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "golden" / "camera.npz") as arrays:
        return dict(arrays)


def test_turning_then_walking_is_the_official_integrator(golden: dict[str, np.ndarray]) -> None:
    # The official code turns first and then walks along the new heading, frame by frame. It makes
    # a heading one unit long on the ground by dividing by its length + 1e-6: ours has no such loss.
    rig = FlyRig(walk_speed=0.05 * FPS, turn_speed=2.0 * FPS)
    keys = np.hstack([golden["wasd"], golden["ijkl"]]).astype(np.float64)
    poses = [rig.pose]
    for w, a, s, d, i, j, k, l in keys:
        level = rig.advance(Motion(yaw=l - j, pitch=i - k), 1 / FPS)[1, 1]
        walk = Motion(forward=(w - s) * level / (level + 1e-6), right=(d - a) / (1 + 1e-6))
        poses.append(rig.advance(walk, 1 / FPS))
    np.testing.assert_allclose(np.stack(poses), golden["poses"], rtol=0, atol=1e-12)


def test_resampled_relative_and_folded_poses_are_the_official_ones(
    golden: dict[str, np.ndarray],
) -> None:
    resampled = resample(golden["poses"][:77], np.linspace(0, 76, LATENTS))
    np.testing.assert_allclose(resampled, golden["interp_c3"], atol=1e-6)
    largest_step = np.linalg.norm(frame_deltas(resampled, None, 1.0)[:, :3, 3], axis=-1).max()
    deltas = frame_deltas(resampled, None, world_scale=largest_step)
    np.testing.assert_allclose(deltas, golden["rel_c3"], atol=1e-6)
    fx, fy, cx, cy = golden["K_transformed"]
    rays = plucker_rays(deltas, Intrinsics(fx, fy, cx, cy, width=48, height=32))
    folded = camera_embedding(rays[None])[0]
    np.testing.assert_allclose(folded, golden["plucker_folded_c3"], atol=1e-4)


def test_the_official_lens_is_resized_as_officially(golden: dict[str, np.ndarray]) -> None:
    lens = Intrinsics(415.778, 415.778, 415.778, 239.778, 832, 480).resized(48, 32)
    assert lens.cx == pytest.approx(golden["K_transformed"][2], rel=1e-5)
    assert lens.cy == pytest.approx(golden["K_transformed"][3], rel=1e-5)
