"""What a player's hands do, written by the socket's thread and read by the engine's."""

import threading
import time
from dataclasses import dataclass

from app.controls import ControlState, Segments
from app.protocol import Input

SILENCE_SECONDS = 1.0  # a page repeats itself every 250 ms, so this one is gone or stuck


@dataclass(frozen=True, slots=True)
class Heard:
    """The last change of the input: its number, the page's time, and ours when it arrived."""

    seq: int = 0
    at_ms: float = 0.0
    arrived: float = 0.0


class Inbox:
    """Latest wins: the engine asks for the state as it is when a chunk begins, never for a queue.

    Args:
        turn_speed: degrees a second of the world's rig at full speed.
    """

    def __init__(self, turn_speed: float) -> None:
        self._controls = ControlState(turn_speed)
        self._heard = Heard()
        self._last_sign = 0.0
        self._lock = threading.Lock()

    def put(self, message: Input) -> None:
        """Take in what the page says its keys and mouse did."""
        now = time.monotonic()
        with self._lock:
            self._controls.update(
                frozenset(message.keys), message.at_ms / 1000, message.dx, message.dy
            )
            self._last_sign = now
            if message.seq > self._heard.seq:
                self._heard = Heard(message.seq, message.at_ms, now)

    def release(self) -> None:
        """Let all keys go."""
        with self._lock:
            self._controls.release()

    def sample(self, seconds: float) -> tuple[Segments, Heard]:
        """The motions of a chunk of ``seconds`` that begins now, and the last input in them."""
        with self._lock:
            if time.monotonic() - self._last_sign > SILENCE_SECONDS:
                self._controls.release()
            return self._controls.sample(seconds), self._heard
