"""One browser: what it says and what it is sent, from its first message until its socket closes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from app.errors import BadMessage, NotPlaying
from app.metrics import Metrics
from app.protocol import (
    Ack,
    Down,
    Input,
    Pause,
    Ping,
    Pong,
    Prompt,
    Resume,
    UpMessage,
    encode,
)
from app.walk import Walk

MAIL_KEPT = 256


class Session:
    """A connected page; ``walk`` is the world it plays, if any."""

    def __init__(self, metrics: Metrics) -> None:
        self.walk: Walk | None = None
        self._metrics = metrics
        self._mail: deque[str] = deque(maxlen=MAIL_KEPT)
        self._wake = asyncio.Event()

    def post(self, message: Down) -> None:
        """Send a control message, ahead of all frames that still wait."""
        self._mail.append(encode(message))
        self.wake()

    def wake(self) -> None:
        """Look again whether a frame may be sent."""
        self._wake.set()

    async def outgoing(self) -> AsyncIterator[str | bytes]:
        """Everything for the socket, as soon as it is there and the page has credit for it."""
        while True:
            self._wake.clear()
            while self._mail:
                yield self._mail.popleft()
            frame = self.walk.take() if self.walk else None
            if frame:
                self._metrics.counts["frames_sent_total"] += 1
                yield frame.header.pack() + frame.jpeg
            else:
                await self._wake.wait()

    async def handle(self, message: UpMessage) -> None:
        """Do what the page asks of the world it plays.

        Raises:
            NotPlaying: no world is open.
            BadMessage: this is no message for an open session.
        """
        match message:
            case Ping(at_ms=at_ms):
                self.post(Pong(at_ms))
            case Input() | Ack() if self.walk is None:
                pass  # still on its way when the world ended
            case Input():
                self._walk("move in").hear(message)
            case Ack():
                self._walk("show").acknowledge(message)
            case Prompt(prompt=prompt):
                await self._walk("change").set_prompt(prompt)
            case Pause():
                self._walk("pause").pause()
            case Resume():
                self._walk("resume").resume()
            case _:
                raise BadMessage(f"{type(message).__name__.lower()} cannot come now")

    def _walk(self, wanted: str) -> Walk:
        if self.walk is None:
            raise NotPlaying(wanted)
        return self.walk
