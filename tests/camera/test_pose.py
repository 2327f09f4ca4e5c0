import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.camera.pose import Poses, check_poses, frame_deltas, invert, resample
from model.errors import BadPoses

pytestmark = pytest.mark.cpu


def random_poses(seed: int, count: int) -> Poses:
    random = np.random.default_rng(seed)
    c2w_F44 = np.tile(np.eye(4), (count, 1, 1))
    c2w_F44[:, :3, :3] = Rotation.random(count, random_state=seed).as_matrix()
    c2w_F44[:, :3, 3] = random.normal(scale=10, size=(count, 3))
    return c2w_F44


seeds = st.integers(0, 2**31)


@given(seeds)
def test_inverse_undoes_a_pose(seed: int) -> None:
    poses = random_poses(seed, 3)
    np.testing.assert_allclose(
        invert(poses) @ poses, np.broadcast_to(np.eye(4), (3, 4, 4)), atol=1e-12
    )


@given(seeds)
def test_deltas_put_together_give_the_path_back(seed: int) -> None:
    poses = random_poses(seed, 5)
    deltas = frame_deltas(poses, None, world_scale=1.0)
    here = poses[0]
    for delta, pose in zip(deltas[1:], poses[1:], strict=True):
        here = here @ delta
        np.testing.assert_allclose(here, pose, atol=1e-11)


@given(seeds)
def test_deltas_do_not_know_where_the_world_is(seed: int) -> None:
    poses, elsewhere = random_poses(seed, 4), random_poses(seed + 1, 1)[0]
    np.testing.assert_allclose(
        frame_deltas(elsewhere @ poses, None, 0.2), frame_deltas(poses, None, 0.2), atol=1e-10
    )


def test_a_path_in_pieces_has_the_deltas_of_the_whole() -> None:
    poses = random_poses(0, 6)
    whole = frame_deltas(poses, None, 0.75)
    pieces = [frame_deltas(poses[:2], None, 0.75), frame_deltas(poses[2:], poses[1], 0.75)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    np.testing.assert_array_equal(whole[0], np.eye(4))


def test_world_scale_divides_translations_only() -> None:
    poses = random_poses(0, 3)
    unscaled, scaled = frame_deltas(poses, None, 1.0), frame_deltas(poses, None, 4.0)
    np.testing.assert_allclose(scaled[:, :3, 3], unscaled[:, :3, 3] / 4)
    np.testing.assert_array_equal(scaled[:, :3, :3], unscaled[:, :3, :3])


def test_resampling_at_the_poses_gives_them_back_and_halves_steps_between() -> None:
    start, end = np.eye(4), np.eye(4)
    end[:3, :3] = Rotation.from_euler("Y", 40, degrees=True).as_matrix()
    end[:3, 3] = 2, 0, 6
    first, middle, last = resample(np.stack([start, end]), [0, 0.5, 1])
    np.testing.assert_allclose(first, start, atol=1e-15)
    np.testing.assert_allclose(last, end, atol=1e-15)
    np.testing.assert_allclose(middle[:3, 3], (1, 0, 3))
    turned = Rotation.from_matrix(middle[:3, :3]).as_euler("YXZ", degrees=True)
    np.testing.assert_allclose(turned, (20, 0, 0), atol=1e-12)


def spoiled(row: int, column: int, value: float) -> Poses:
    poses = random_poses(0, 2)
    poses[1, row, column] = value
    return poses


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        pytest.param(np.eye(3), "shape", id="3x3"),
        pytest.param(np.zeros((0, 4, 4)), "shape", id="empty"),
        pytest.param([[1, 2], [3]], "array of numbers", id="ragged"),
        pytest.param([["x"] * 4] * 4, "array of numbers", id="text"),
        pytest.param(spoiled(0, 3, np.nan), "not finite", id="nan"),
        pytest.param(spoiled(0, 3, np.inf), "not finite", id="inf"),
        pytest.param(spoiled(3, 0, 1.0), "bottom row", id="bottom-row"),
        pytest.param(random_poses(0, 2).swapaxes(-1, -2), "bottom row", id="transposed"),
        pytest.param(random_poses(0, 2) * [2, 1, 1, 1], "orthonormal", id="scaled"),
        pytest.param(np.diag([-1.0, 1, 1, 1]), "mirrors", id="mirrored"),
    ],
)
def test_impossible_poses_are_refused_with_the_reason(array: object, reason: str) -> None:
    with pytest.raises(BadPoses) as refusal:
        check_poses(array)  # type: ignore[arg-type]
    assert reason in refusal.value.reason


def test_poses_from_a_float32_file_pass_as_float64() -> None:
    checked = check_poses(random_poses(3, 5).astype(np.float32))
    assert checked.dtype == np.float64
    np.testing.assert_allclose(checked, random_poses(3, 5), rtol=1e-6)
