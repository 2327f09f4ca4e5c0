import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.controls import AXES, DEGREES_PER_PIXEL, KEYMAP, MOUSE_LIMIT, ControlState, Segments
from model import Motion

pytestmark = pytest.mark.cpu

TURN = 45.0
CHUNK = 0.25
OPPOSITES = {"KeyW": "KeyS", "KeyA": "KeyD", "ArrowLeft": "ArrowRight", "KeyI": "KeyK"}

key = st.sampled_from(sorted(KEYMAP))
keys = st.frozensets(key, max_size=5)
moment = st.floats(0, 5, allow_subnormal=False)


def travelled(segments: Segments, axis: str) -> float:
    """Seconds at full speed along an axis."""
    return sum(seconds * getattr(motion, axis) for seconds, motion in segments)


def test_every_key_moves_one_axis_at_full_speed() -> None:
    for motion in KEYMAP.values():
        values = [getattr(motion, axis) for axis in AXES]
        assert sorted(map(abs, values)) == [0, 0, 0, 0, 1]


@given(keys, moment)
def test_keys_held_at_the_sample_are_held_for_the_whole_chunk(
    held: frozenset[str], at: float
) -> None:
    controls = ControlState(TURN)
    controls.update(held, at)
    ((seconds, motion),) = controls.sample(CHUNK)
    assert seconds == CHUNK
    for axis in AXES:
        total = sum(getattr(KEYMAP[one], axis) for one in held)
        assert getattr(motion, axis) == max(-1, min(1, total))


@given(key, moment, st.floats(0.001, CHUNK))
def test_a_tap_moves_for_as_long_as_it_lasted_from_the_first_frame(
    tapped: str, at: float, seconds: float
) -> None:
    controls = ControlState(TURN)
    controls.update(frozenset({tapped}), at)
    controls.update(frozenset(), at + seconds)
    segments = controls.sample(CHUNK)
    assert segments[0][0] == pytest.approx(seconds)
    assert segments[0][1] == KEYMAP[tapped]
    assert all(motion == Motion() for _, motion in segments[1:])
    assert sum(duration for duration, _ in segments) == pytest.approx(CHUNK)


@given(st.floats(CHUNK, 100))
def test_a_tap_longer_than_the_chunk_moves_for_the_chunk(seconds: float) -> None:
    controls = ControlState(TURN)
    controls.update(frozenset({"KeyW"}), 0)
    controls.update(frozenset(), seconds)
    assert travelled(controls.sample(CHUNK), "forward") == pytest.approx(CHUNK)


def test_a_second_key_tapped_during_a_hold_is_not_lost() -> None:
    controls = ControlState(TURN)
    controls.update(frozenset({"KeyW"}), 0)
    controls.sample(CHUNK)
    controls.update(frozenset({"KeyW", "KeyD"}), 0.3)
    controls.update(frozenset({"KeyW"}), 0.33)
    segments = controls.sample(CHUNK)
    assert travelled(segments, "forward") == pytest.approx(CHUNK)
    assert travelled(segments, "right") == pytest.approx(0.03)


@given(st.lists(st.tuples(key, st.floats(0.005, 0.05)), max_size=4))
def test_several_taps_between_samples_add_up(taps: list[tuple[str, float]]) -> None:
    controls = ControlState(TURN)
    now = 0.0
    for tapped, seconds in taps:
        controls.update(frozenset({tapped}), now)
        controls.update(frozenset(), now + seconds)
        now += 0.1
    segments = controls.sample(CHUNK)
    for tapped in {tapped for tapped, _ in taps}:
        alone = sum(seconds for one, seconds in taps if one == tapped)
        lasting = sum(
            duration
            for start, (duration, _) in zip(_starts(segments), segments, strict=True)
            if start < alone - 1e-9
        )
        assert lasting == pytest.approx(alone)


def _starts(segments: Segments) -> list[float]:
    return [sum(seconds for seconds, _ in segments[:index]) for index in range(len(segments))]


@given(st.permutations(["KeyW", "ArrowRight", "KeyD", "KeyI"]))
def test_the_order_in_which_keys_went_down_means_nothing(order: list[str]) -> None:
    controls = ControlState(TURN)
    for count, _ in enumerate(order):
        controls.update(frozenset(order[: count + 1]), count * 0.01)
    assert controls.sample(CHUNK) == [(CHUNK, Motion(forward=1, yaw=1, right=1, pitch=1))]


@pytest.mark.parametrize(("one", "other"), OPPOSITES.items())
def test_opposite_keys_cancel(one: str, other: str) -> None:
    controls = ControlState(TURN)
    controls.update(frozenset({one, other}), 0)
    assert controls.sample(CHUNK) == [(CHUNK, Motion())]


@given(st.lists(st.tuples(keys, moment), max_size=6))
def test_what_was_sampled_does_not_come_again(states: list[tuple[frozenset[str], float]]) -> None:
    controls = ControlState(TURN)
    for held, at in states:
        controls.update(held, at, dx=3)
    controls.sample(CHUNK)
    controls.update(frozenset(), 10)
    assert controls.sample(CHUNK) == [(CHUNK, Motion())]


@given(st.lists(st.integers(-40, 40), max_size=8))
def test_the_mouse_turns_by_the_sum_of_its_moves(moves: list[int]) -> None:
    controls = ControlState(TURN)
    for dx in moves:
        controls.update(frozenset(), 0, dx=dx, dy=-dx)
    ((_, motion),) = controls.sample(CHUNK)
    limit = MOUSE_LIMIT * CHUNK
    degrees = max(-limit, min(limit, sum(moves) * DEGREES_PER_PIXEL))
    assert motion.yaw * TURN * CHUNK == pytest.approx(degrees)
    assert motion.pitch * TURN * CHUNK == pytest.approx(degrees)  # up is a negative dy


def test_release_forgets_everything() -> None:
    controls = ControlState(TURN)
    controls.update(frozenset({"KeyW"}), 0, dx=50)
    controls.update(frozenset({"KeyW", "KeyA"}), 0.1)
    controls.update(frozenset({"KeyW"}), 0.2)
    controls.release()
    assert controls.sample(CHUNK) == [(CHUNK, Motion())]


def test_unknown_keys_mean_nothing() -> None:
    controls = ControlState(TURN)
    controls.update(frozenset({"F13", ""}), 0)
    assert controls.sample(CHUNK) == [(CHUNK, Motion())]
