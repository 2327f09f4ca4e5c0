import numpy as np
import pytest
import torch

from model.camera.intrinsics import Intrinsics
from model.camera.pose import invert
from model.camera.rays import camera_embedding, plucker_rays
from model.camera.rigs import FlyRig, Motion

pytestmark = pytest.mark.cpu

LENS = Intrinsics(fx=20.0, fy=24.0, cx=23.0, cy=15.0, width=48, height=32)


def some_deltas(count: int) -> np.ndarray:
    rig = FlyRig(walk_speed=1.0, turn_speed=30.0)
    return rig.path([(9.0, Motion(forward=1, right=0.5, yaw=1, pitch=0.4))], count, fps=4)


def test_a_lens_keeps_its_field_of_view_when_resized() -> None:
    lens = Intrinsics.from_focal(0.64, 208, 128)
    assert lens == Intrinsics(133.12, 133.12, 104, 64, 208, 128)
    larger = lens.resized(832, 480)
    assert (larger.width, larger.height) == (832, 480)
    assert (larger.fx / 832, larger.cx / 832) == (lens.fx / 208, lens.cx / 208)
    assert (larger.fy / 480, larger.cy / 480) == (lens.fy / 128, lens.cy / 128)


def test_every_ray_returns_to_the_centre_of_its_pixel() -> None:
    deltas = some_deltas(3)
    rays = plucker_rays(deltas, LENS).double().numpy()
    assert rays.shape == (3, 32, 48, 6)
    np.testing.assert_allclose(np.linalg.norm(rays[..., 3:], axis=-1), 1, atol=1e-6)
    for delta, rays_HW6 in zip(deltas, rays, strict=True):
        np.testing.assert_allclose(
            rays_HW6[..., :3], np.broadcast_to(delta[:3, 3], (32, 48, 3)), rtol=1e-6
        )
        x, y, z = np.moveaxis(rays_HW6[..., 3:] @ invert(delta)[:3, :3].T, -1, 0)
        u, v = LENS.fx * x / z + LENS.cx, LENS.fy * y / z + LENS.cy
        np.testing.assert_allclose(u, np.broadcast_to(np.arange(48) + 0.5, (32, 48)), atol=1e-4)
        np.testing.assert_allclose(v.T, np.broadcast_to(np.arange(32) + 0.5, (48, 32)), atol=1e-4)


def test_batches_of_tensors_give_the_rays_of_their_members() -> None:
    deltas = some_deltas(6)
    batched = plucker_rays(torch.from_numpy(deltas).reshape(2, 3, 4, 4), LENS)
    assert batched.dtype == torch.float32
    assert torch.equal(batched.flatten(0, 1), plucker_rays(deltas, LENS))


def test_each_cell_is_folded_coordinate_by_coordinate() -> None:
    rays = plucker_rays(some_deltas(6), LENS).unflatten(0, (2, 3))
    folded = camera_embedding(rays)
    assert folded.shape == (2, 384, 3, 4, 6)
    for batch, frame, row, column, coordinate in [
        (0, 0, 0, 0, 0),
        (1, 2, 31, 47, 5),
        (0, 1, 9, 20, 3),
    ]:
        channel = coordinate * 64 + row % 8 * 8 + column % 8
        assert (
            folded[batch, channel, frame, row // 8, column // 8]
            == rays[batch, frame, row, column, coordinate]
        )
