"""One open world as the event loop sees it: when its next chunk is due and what was shown."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

from app.inbox import Inbox
from app.metrics import Metrics
from app.outbox import CHUNKS_KEPT, Frame, Outbox
from app.pacing import Pacer
from app.play import Play
from app.protocol import Ack, Down, Input, Receipt, State
from model import Engine, Scene

T = TypeVar("T")


class EngineThread(Protocol):
    """Runs work in the one thread that may touch the engine, first come, first served."""

    def __call__(self, work: Callable[[], T], /) -> Coroutine[Any, Any, T]:
        """Wait until the thread has done ``work``; what it returns or raises comes back."""


class Page(Protocol):
    """Where control messages go, and who sends the frames."""

    def post(self, message: Down) -> None:
        """Send a control message."""

    def wake(self) -> None:
        """Look again whether a frame may be sent."""


class Walk:
    """A world from its opening until it is closed; cancel ``run`` to end it.

    Args:
        engine: opens the rollout.
        engine_thread: where all work on the engine is done.
        scene: where the world begins.
        page: the player's.
        metrics: the server's counts.
    """

    def __init__(
        self,
        engine: Engine,
        engine_thread: EngineThread,
        scene: Scene,
        page: Page,
        metrics: Metrics,
    ) -> None:
        config = engine.config
        self._fps = config.fps
        self._chunk_frames = config.chunk_frames
        self._engine_thread = engine_thread
        self._page = page
        self._metrics = metrics
        self._inbox = Inbox(config.turn_speed)
        self._outbox = Outbox(self._credit(spare=0))
        self._pacer = Pacer(config.fps, limit=CHUNKS_KEPT * config.chunk_frames)
        self._play = Play(engine, scene, self._inbox, self._deliver_from_engine)
        self._loop = asyncio.get_running_loop()
        self._progress = asyncio.Event()
        self._paused = False
        self._made = 0
        self._shown_at = 0.0
        self._due_at: float | None = None

    async def run(self) -> None:
        """Open the world and make a chunk whenever one is due, until cancelled."""
        self._page.post(State("opening"))
        try:
            await self._engine_thread(self._play.open)
            self._page.post(State("playing"))
            while True:
                await self._until_due()
                self._due_at = time.monotonic()
                self._metrics.time_chunk(await self._engine_thread(self._play.step))
        finally:
            await self._engine_thread(self._play.close)

    def take(self) -> Frame | None:
        """The next frame for the socket, if there is one and the page has credit for it."""
        return self._outbox.take()

    def hear(self, message: Input) -> None:
        """Take in keys and mouse."""
        if not self._paused:
            self._inbox.put(message)

    def acknowledge(self, message: Ack) -> None:
        """A frame is on the screen: send more, and make more when it is time."""
        self._outbox.acknowledge(message.frame)
        self._outbox.credit = self._credit(message.spare)
        self._pacer.spare = message.spare
        self._shown_at = time.monotonic()
        self._progress.set()
        self._page.wake()

    async def set_prompt(self, text: str) -> None:
        """Go on with another prompt from the next chunk on."""
        chunk = await self._engine_thread(partial(self._play.set_prompt, text))
        self._page.post(Receipt(of="prompt", chunk=chunk))

    def pause(self) -> None:
        """Make no more chunks, and let all keys go."""
        self._paused = True
        self._inbox.release()
        self._page.post(State("paused"))

    def resume(self) -> None:
        """Go on where the world stands."""
        self._paused = False
        self._progress.set()
        self._page.post(State("playing"))

    @property
    def _unshown(self) -> int:
        """Frames that the page has yet to show."""
        return self._made - 1 - self._outbox.shown

    def _credit(self, spare: int) -> int:
        """Frames the page may hold: its clock's reserve of half a chunk, and the next chunk."""
        return self._chunk_frames // 2 + spare + self._chunk_frames

    async def _until_due(self) -> None:
        """Return when the frames not yet shown just cover the making of the next chunk."""
        while self._paused or self._unshown > self._pacer.reserve:
            self._progress.clear()
            await self._progress.wait()

    def _deliver_from_engine(self, frames: list[Frame]) -> None:
        """Hand frames over from the engine's thread."""
        self._loop.call_soon_threadsafe(self._deliver, frames)

    def _deliver(self, frames: list[Frame]) -> None:
        if self._due_at is not None:
            self._judge(time.monotonic(), self._due_at)
            self._due_at = None
        dropped = self._outbox.dropped
        for frame in frames:
            self._outbox.put(frame)
        self._made = frames[-1].header.number + 1
        self._metrics.counts["frames_dropped_total"] += self._outbox.dropped - dropped
        self._page.wake()

    def _judge(self, now: float, due_at: float) -> None:
        """Was a chunk's first frame here before the page needed it?

        The frame on the screen stays for 1/fps, and so does each that the page still has.
        """
        self._pacer.record(now - due_at)
        if self._outbox.shown >= 0:
            needed_at = self._shown_at + (self._unshown + 1) / self._fps
            in_time = now <= needed_at
            self._metrics.counts["deadlines_met_total"] += in_time
            self._metrics.counts["deadlines_missed_total"] += not in_time
