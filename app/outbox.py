"""Frames on their way to one player: bounded, in order, and never more than the player takes."""

from collections import deque
from dataclasses import dataclass

from app.protocol import FrameHeader

CHUNKS_KEPT = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One JPEG and what the page must know about it."""

    header: FrameHeader
    jpeg: bytes


class Outbox:
    """At most two chunks wait here; when a third comes, the oldest goes as a whole.

    ``credit`` is how many frames may be on the wire or waiting in the page's clock at once: a page
    that does not show frames is sent none, so a slow link costs frames and never adds delay.
    """

    def __init__(self, credit: int) -> None:
        self.credit = credit
        self.sent = 0
        self.dropped = 0
        self.shown = -1
        self._newest_sent = -1
        self._waiting: deque[Frame] = deque()

    def put(self, frame: Frame) -> None:
        """Queue a frame, dropping whole old chunks if there are too many."""
        self._waiting.append(frame)
        chunks = sorted({waiting.header.chunk for waiting in self._waiting})
        if len(chunks) > CHUNKS_KEPT:
            kept = [waiting for waiting in self._waiting if waiting.header.chunk > chunks[0]]
            self.dropped += len(self._waiting) - len(kept)
            self._waiting = deque(kept)

    def acknowledge(self, number: int) -> None:
        """The page has shown frame ``number``. What it was never sent it cannot have shown."""
        self.shown = max(self.shown, min(number, self._newest_sent))

    def take(self) -> Frame | None:
        """The next frame to send, or None while there is none or the page owes a sign of life."""
        if not self._waiting or self._newest_sent - self.shown >= self.credit:
            return None
        frame = self._waiting.popleft()
        self._newest_sent = frame.header.number
        self.sent += 1
        return frame

    def clear(self) -> None:
        """Forget what waits: the world it shows is gone."""
        self._waiting.clear()
