"""The real server in a thread, on a free port, with an engine of the test's choice."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import numpy as np
import uvicorn
from PIL import Image

from app.gallery import Gallery
from app.registry import Registry
from app.server import build, listen, server_config
from model import WORLDS, Engine, WorldError


@dataclass(frozen=True)
class Served:
    """Where a server answers, and who plays on it."""

    host: str
    registry: Registry

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def ticket(self) -> str:
        return str(httpx.post(f"{self.url}/world/ticket").json()["ticket"])


def make_scenes(folder: Path) -> None:
    """Two scenes with pictures that compress badly enough to look alive."""
    rows = []
    for name, colour in {"meadow": (110, 160, 90), "dusk": (190, 120, 90)}.items():
        shade_H11 = np.linspace(1.4, 0.6, 128)[:, None, None]
        picture_HW3 = np.clip(np.ones((128, 208, 3)) * colour * shade_H11, 0, 255)
        Image.fromarray(picture_HW3.astype(np.uint8)).save(folder / f"{name}.png")
        rows.append(
            {"name": name, "title": name.title(), "prompt": f"a {name}", "image": f"{name}.png"}
        )
    (folder / "scenes.json").write_bytes(msgspec.json.encode(rows))


@contextmanager
def served(
    load: Callable[[], Engine], folder: Path, *, players: int = 4, page: bool = False
) -> Iterator[Served]:
    """Run the server until the block ends; it answers at once, also while it loads."""
    make_scenes(folder)
    registry = Registry(load, Gallery(folder, WORLDS["small"]), players)
    listener = listen("127.0.0.1", 0)
    servers: list[uvicorn.Server] = []

    async def run() -> None:
        app = build(registry, page=page, on_failure=lambda: None)
        servers.append(uvicorn.Server(server_config(app)))
        await servers[0].serve(sockets=[listener])

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    try:
        until(lambda: bool(servers) and servers[0].started)
        host, port = listener.getsockname()
        yield Served(f"{host}:{port}", registry)
    finally:
        servers[0].should_exit = True
        thread.join()
        listener.close()


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that must come true."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.01)


def fail_to_load(error: WorldError) -> Callable[[], Engine]:
    """An engine that cannot be loaded."""

    def load() -> Engine:
        raise error

    return load
