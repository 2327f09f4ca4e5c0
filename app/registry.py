"""Who plays: one engine in one thread, a place for each player, and turns first come, first served.

Work on the engine is queued in a pool of one thread. A player has at most one chunk in that queue,
so players alternate; what fails there is raised in that player's own task and nowhere else.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.controls import KEYMAP
from app.errors import NotPlaying, StillLoading, WorldFull
from app.gallery import Gallery
from app.messages import explain
from app.metrics import Metrics
from app.protocol import Failed, Loading, Ready, Reset, Start, State, Stop, UpMessage
from app.session import Session
from app.walk import Walk
from model import Engine, Scene, WorldError

T = TypeVar("T")
ANNOUNCE_SECONDS = 0.2

log = logging.getLogger(__name__)


class Registry:
    """All players of one engine.

    Args:
        load: loads the engine; called in the engine's thread.
        gallery: where worlds may begin.
        players: how many worlds may be open at once.
    """

    def __init__(self, load: Callable[[], Engine], gallery: Gallery, players: int) -> None:
        self.gallery = gallery
        self.metrics = Metrics()
        self.progress = 0.0
        self.engine: Engine | None = None
        self.failure: WorldError | None = None
        self._load = load
        self._players = players
        self._runs: dict[Session, asyncio.Task[None]] = {}
        self._scenes: dict[Session, Scene] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")

    @property
    def players(self) -> int:
        """How many worlds are open."""
        return len(self._runs)

    async def open(self) -> None:
        """Load the engine and warm it up; ``failure`` tells what kept it from that."""
        try:
            engine = await self.in_engine_thread(self._load)
        except WorldError as error:
            self.failure = error
            return
        await self.in_engine_thread(lambda: self._warm_up(engine))
        self.engine = engine
        log.info("ready: %s", engine.config.title)

    async def close(self) -> None:
        """End all worlds, then the engine."""
        for session in list(self._runs):
            await self._end(session)
        if self.engine:
            await self.in_engine_thread(self.engine.close)
        self._thread.shutdown(cancel_futures=True)

    async def in_engine_thread(self, work: Callable[[], T]) -> T:
        """Wait until the engine's thread has done ``work``; its result or its exception."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def announce(self, session: Session) -> None:
        """Tell a page how far the engine is, until it is ready."""
        while self.engine is None:
            session.post(Loading(self.progress))
            await asyncio.sleep(ANNOUNCE_SECONDS)
        config = self.engine.config
        session.post(
            Ready(
                world=config.name,
                title=config.title,
                width=config.width,
                height=config.height,
                fps=config.fps,
                chunk_frames=config.chunk_frames,
                keys=list(KEYMAP),
            )
        )

    async def handle(self, session: Session, message: UpMessage) -> None:
        """Do what a page asks.

        Raises:
            WorldError: it cannot be done; nobody else is concerned.
        """
        match message:
            case Start():
                await self._begin(session, self.gallery.scene(message))
            case Reset() if session in self._scenes:
                await self._begin(session, self._scenes[session])
            case Reset():
                raise NotPlaying("reset")
            case Stop():
                await self._end(session)
            case _:
                await session.handle(message)

    async def leave(self, session: Session) -> None:
        """The page is gone: its place is free at once, its world ends after the chunk in flight."""
        self._scenes.pop(session, None)
        await self._end(session)

    async def _begin(self, session: Session, scene: Scene) -> None:
        """Open a world for this page, in the place it may already have.

        Raises:
            StillLoading: the engine is not ready.
            WorldFull: all places are taken.
        """
        if self.engine is None:
            raise StillLoading(self.progress)
        if session not in self._runs and len(self._runs) >= self._players:
            raise WorldFull(self._players)
        await self._end(session)
        walk = Walk(self.engine, self.in_engine_thread, scene, session, self.metrics)
        session.walk = walk
        self._scenes[session] = scene
        run = self._runs[session] = asyncio.create_task(walk.run())
        run.add_done_callback(lambda done: self._ended(session, done))

    async def _end(self, session: Session) -> None:
        """Close the page's world, if it has one."""
        run = self._runs.pop(session, None)
        session.walk = None
        if run:
            run.cancel()
            await asyncio.wait([run])

    def _ended(self, session: Session, run: asyncio.Task[None]) -> None:
        """A world ended: if by a fault, free its place and tell its player what happened."""
        if self._runs.get(session) is run:
            del self._runs[session]
            session.walk = None
        session.post(State("stopped"))
        error = None if run.cancelled() else run.exception()
        if error:
            if not isinstance(error, WorldError):
                log.error("a player's world failed", exc_info=error)
            session.post(Failed(explain(error)))

    def _warm_up(self, engine: Engine) -> None:
        for progress in engine.warm_up():
            self.progress = progress
