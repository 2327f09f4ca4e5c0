"""What every rig keeps, and the directions in which it moves a landmark on the screen."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.camera.intrinsics import Intrinsics
from model.camera.pose import Poses, frame_deltas, invert
from model.camera.rigs import RIGS, FlyRig, Motion

pytestmark = pytest.mark.cpu

FPS = 16
LENS = Intrinsics.from_focal(0.64, 208, 128)

shares = st.floats(-1, 1)
mouse_shares = st.floats(-5, 5)
motions = st.builds(
    Motion, right=shares, down=shares, forward=shares, yaw=mouse_shares, pitch=mouse_shares
)
spans = st.floats(0, 2)
segments = st.lists(st.tuples(spans, motions), max_size=5)


@pytest.fixture(params=RIGS.values(), ids=RIGS)
def rig(request: pytest.FixtureRequest) -> FlyRig:
    made: FlyRig = request.param(walk_speed=3.0, turn_speed=45.0)
    return made


def small_rig() -> FlyRig:
    return FlyRig(walk_speed=3.0, turn_speed=45.0)


def project(c2w_44: Poses, point: tuple[float, float, float]) -> tuple[float, float]:
    x, y, z, _ = invert(c2w_44) @ np.array([*point, 1.0])
    return LENS.fx * x / z + LENS.cx, LENS.fy * y / z + LENS.cy


LANDMARK = (0.5, 0.3, 10.0)


def test_turning_right_moves_a_landmark_left(rig: FlyRig) -> None:
    before = project(rig.pose, LANDMARK)
    after = project(rig.advance(Motion(yaw=1), 0.2), LANDMARK)
    assert after[0] < before[0] - 1


def test_looking_up_moves_a_landmark_down(rig: FlyRig) -> None:
    before = project(rig.pose, LANDMARK)
    after = project(rig.advance(Motion(pitch=1), 0.2), LANDMARK)
    assert after[1] > before[1] + 1


def test_stepping_right_moves_a_landmark_left(rig: FlyRig) -> None:
    before = project(rig.pose, LANDMARK)
    after = project(rig.advance(Motion(right=1), 0.2), LANDMARK)
    assert after[0] < before[0] - 1
    assert after[1] == before[1]


def test_sinking_moves_a_landmark_up(rig: FlyRig) -> None:
    before = project(rig.pose, LANDMARK)
    after = project(rig.advance(Motion(down=1), 0.2), LANDMARK)
    assert after[1] < before[1] - 1


def test_walking_forward_moves_a_landmark_away_from_the_centre(rig: FlyRig) -> None:
    before = project(rig.pose, LANDMARK)
    after = project(rig.advance(Motion(forward=1), 1.0), LANDMARK)
    assert after[0] - LENS.cx > 1.2 * (before[0] - LENS.cx) > 0
    assert after[1] - LENS.cy > 1.2 * (before[1] - LENS.cy) > 0


def test_ten_thousand_chunks_of_walking_keep_unit_steps(rig: FlyRig) -> None:
    rig.advance(Motion(yaw=1), 0.7)
    previous = rig.pose
    walked = np.stack([rig.advance(Motion(forward=1), 4 / FPS) for _ in range(10_000)])
    steps = frame_deltas(walked, previous, world_scale=0.75)[:, :3, 3]
    np.testing.assert_allclose(steps, np.broadcast_to((0, 0, 1), steps.shape), rtol=0, atol=1e-9)
    chunk = rig.path([(4 / FPS, Motion(forward=1))], frames=4, fps=FPS)
    step = frame_deltas(chunk[-1:], walked[-1], world_scale=0.75)[0, :3, 3]
    np.testing.assert_allclose(step, (0, 0, 1), rtol=0, atol=1e-9)


@given(segments)
def test_a_resting_camera_moves_by_exactly_zero(history: list[tuple[float, Motion]]) -> None:
    rig = small_rig()
    rig.path(history, frames=80, fps=FPS)
    delta = frame_deltas(rig.advance(Motion(), 0.25)[None], rig.pose, world_scale=0.75)[0]
    assert (delta[:3, 3] == 0).all()
    np.testing.assert_allclose(delta, np.eye(4), rtol=0, atol=1e-15)


@given(segments)
def test_a_camera_stays_upright_and_rigid(history: list[tuple[float, Motion]]) -> None:
    rig = small_rig()
    for pose in rig.path(history, frames=40, fps=FPS):
        rotation = pose[:3, :3]
        assert rotation[1, 0] == 0, "the camera's right has left the horizon: it rolls"
        assert rotation[1, 1] > 0, "the camera is upside down"
        assert math.degrees(math.asin(abs(rotation[1, 2]))) <= rig.pitch_limit + 1e-6
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-14)


@given(mouse_shares, mouse_shares)
def test_walking_keeps_to_the_ground_at_full_speed(yaw: float, pitch: float) -> None:
    rig = small_rig()
    before = rig.advance(Motion(yaw=yaw, pitch=pitch), 1.0)
    walked = rig.advance(Motion(forward=1), 1.0)[:3, 3] - before[:3, 3]
    assert walked[1] == 0
    assert np.linalg.norm(walked) == pytest.approx(3.0)
    assert walked @ before[:3, 2] > 0


def test_pitch_stops_at_its_limit_and_leaves_it_at_once(rig: FlyRig) -> None:
    rig.advance(Motion(pitch=1), 60.0)
    assert rig.snapshot().pitch == 85.0
    rig.advance(Motion(pitch=-1), 1.0)
    assert rig.snapshot().pitch == pytest.approx(40.0)


def test_full_turns_spend_no_digits(rig: FlyRig) -> None:
    for _ in range(1000):
        rig.advance(Motion(yaw=1), 8.0)  # 45 degrees a second: once around
    assert rig.snapshot().yaw == 0
    assert abs(rig.snapshot().position[0]) < 1e-12


@given(motions, spans, st.floats(0, 1))
def test_splitting_a_motion_changes_nothing(motion: Motion, seconds: float, share: float) -> None:
    whole, split = small_rig(), small_rig()
    whole.advance(motion, seconds)
    split.advance(motion, seconds * share)
    split.advance(motion, seconds * (1 - share))
    np.testing.assert_allclose(split.pose, whole.pose, atol=1e-12)


@given(segments)
def test_a_path_sampled_finer_is_the_same_path(history: list[tuple[float, Motion]]) -> None:
    coarse = small_rig().path(history, frames=20, fps=FPS)
    fine = small_rig().path(history, frames=60, fps=3 * FPS)
    np.testing.assert_allclose(fine[2::3], coarse, atol=1e-11)


def test_turning_while_walking_follows_a_circle(rig: FlyRig) -> None:
    radius = 3.0 / math.radians(45.0)
    for pose in rig.path([(4.0, Motion(forward=1, yaw=1))], frames=64, fps=FPS):
        x, _, z = pose[:3, 3]
        assert math.hypot(x - radius, z) == pytest.approx(radius)
    np.testing.assert_allclose(pose[:3, 3], (2 * radius, 0, 0), atol=1e-12)


def test_a_tap_moves_for_its_own_time_whatever_the_frame_rate(rig: FlyRig) -> None:
    poses = rig.path([(0.01, Motion()), (0.03, Motion(forward=1))], frames=4, fps=FPS)
    np.testing.assert_allclose(poses[:, 2, 3], 0.09)
    poses = rig.path([(0.1, Motion(forward=1))], frames=4, fps=FPS)
    np.testing.assert_allclose(poses[:, 2, 3], 0.09 + np.array([3 / 16, 0.3, 0.3, 0.3]))


def test_a_path_ends_at_its_last_frame(rig: FlyRig) -> None:
    poses = rig.path([(9.0, Motion(forward=1))], frames=4, fps=FPS)
    np.testing.assert_array_equal(rig.pose, poses[-1])
    np.testing.assert_allclose(poses[-1, 2, 3], 0.75)


def test_a_restored_rig_goes_the_same_way_again(rig: FlyRig) -> None:
    rig.advance(Motion(forward=1, yaw=0.3, pitch=-0.2), 1.3)
    state = rig.snapshot()
    once = rig.advance(Motion(right=1, yaw=-1), 0.4)
    rig.restore(state)
    np.testing.assert_array_equal(rig.advance(Motion(right=1, yaw=-1), 0.4), once)
