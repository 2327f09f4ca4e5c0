"""Held keys and mouse moves of one player, and what they ask of the camera in the next chunk.

Time here is the player's own: every instant is an argument, in seconds of any one clock.
"""

from model import Motion

# KeyboardEvent.code, which names a place on the keyboard, so that W is W on every layout.
KEYMAP: dict[str, Motion] = {
    "KeyW": Motion(forward=1),
    "KeyS": Motion(forward=-1),
    "KeyD": Motion(right=1),
    "KeyA": Motion(right=-1),
    "ArrowRight": Motion(yaw=1),
    "ArrowLeft": Motion(yaw=-1),
    "ArrowUp": Motion(pitch=1),
    "ArrowDown": Motion(pitch=-1),
    "KeyL": Motion(yaw=1),
    "KeyJ": Motion(yaw=-1),
    "KeyI": Motion(pitch=1),
    "KeyK": Motion(pitch=-1),
}
AXES = ("right", "down", "forward", "yaw", "pitch")

DEGREES_PER_PIXEL = 0.15
MOUSE_LIMIT = 90.0  # degrees per second: what a flick of the mouse may ask of a world

Segments = list[tuple[float, Motion]]


class ControlState:
    """The keys held now, what was tapped since the last sample, and how far the mouse went.

    Args:
        turn_speed: degrees a second that one unit of ``Motion.yaw`` and ``Motion.pitch`` means.
    """

    def __init__(self, turn_speed: float) -> None:
        self._turn_speed = turn_speed
        self._pressed_at: dict[str, float | None] = {}  # None: held in an earlier sample already
        self._tapped: dict[str, float] = {}
        self._mouse = (0.0, 0.0)

    def update(self, keys: frozenset[str], at: float, dx: float = 0.0, dy: float = 0.0) -> None:
        """The player holds exactly ``keys`` at the time ``at``, the mouse moved by (dx, dy) pixels.

        ``dx`` counts to the right, ``dy`` down. Keys that are not in ``KEYMAP`` mean nothing.
        """
        for key in self._pressed_at.keys() - keys:
            pressed_at = self._pressed_at.pop(key)
            if pressed_at is not None:
                held = max(at - pressed_at, 0.0)
                self._tapped[key] = self._tapped.get(key, 0.0) + held
        for key in (keys & KEYMAP.keys()) - self._pressed_at.keys():
            self._pressed_at[key] = at
        self._mouse = (self._mouse[0] + dx, self._mouse[1] + dy)

    def release(self) -> None:
        """Let everything go: the player cannot be heard any more, or looks elsewhere."""
        self._pressed_at.clear()
        self._tapped.clear()
        self._mouse = (0.0, 0.0)

    def sample(self, seconds: float) -> Segments:
        """What the next chunk of ``seconds`` does, as (duration, motion) laid end to end.

        A key held now is held for all of it. A key pressed and released since the last sample
        acts for as long as it was down, from the chunk's first frame, and no longer than the chunk.
        """
        taps = {
            key: min(held, seconds)
            for key, held in self._tapped.items()
            if key not in self._pressed_at and held > 0
        }
        ends = sorted({*taps.values(), seconds})
        segments: Segments = []
        start = 0.0
        for end in ends:
            active = self._pressed_at.keys() | {key for key, held in taps.items() if held >= end}
            segments.append((end - start, self._motion(active, seconds)))
            start = end
        self._pressed_at = dict.fromkeys(self._pressed_at)
        self._tapped.clear()
        self._mouse = (0.0, 0.0)
        return segments

    def _motion(self, keys: set[str], seconds: float) -> Motion:
        """The keys' motions added up, each axis within full speed, and the mouse on top."""
        total = {
            axis: max(-1.0, min(1.0, sum(getattr(KEYMAP[key], axis) for key in keys)))
            for axis in AXES
        }
        dx, dy = self._mouse
        total["yaw"] += self._mouse_turn(dx, seconds)
        total["pitch"] -= self._mouse_turn(dy, seconds)
        return Motion(**total)

    def _mouse_turn(self, pixels: float, seconds: float) -> float:
        """Pixels spread over a chunk as a share of the rig's full turning speed."""
        rate = pixels * DEGREES_PER_PIXEL / seconds
        return max(-MOUSE_LIMIT, min(MOUSE_LIMIT, rate)) / self._turn_speed
