"""One server for the socket, the page, health and metrics."""

import asyncio
import contextlib
import errno
import hashlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from app.errors import PortBusy, StillLoading, UploadTooLarge
from app.gallery import Gallery
from app.messages import explain
from app.registry import Registry
from app.settings import Serve
from app.transport.tickets import Tickets
from app.transport.websocket import same_origin, serve_socket
from app.worlds import chosen_world
from model import BadSetting, WorldError, load

SCENES = Path(__file__).resolve().parent.parent / "assets" / "scenes"
UI = Path(__file__).resolve().parent / "ui"
UPLOAD_MB = 20
MAX_PORT = 65_535
MESSAGE_BYTES = 65_536
# Python hands the interpreter over every 5 ms by default; the event loop then waits on the engine.
SWITCH_SECONDS = 0.0005

log = logging.getLogger(__name__)


def serve(settings: Serve) -> None:
    """Serve until Ctrl-C.

    Raises:
        WorldError: the port is taken, or the world cannot be loaded; nothing serves any more.
    """
    world = chosen_world(settings.world, settings)
    registry = Registry(
        partial(load, world, device=settings.device, weights=settings.weights),
        Gallery(SCENES, world),
        settings.players,
    )
    listener = listen(settings.host, settings.port)
    sys.setswitchinterval(SWITCH_SECONDS)

    log.info("open http://%s:%d", settings.host, settings.port)
    with listener, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(registry, listener, page=settings.page))
    if registry.failure:
        raise registry.failure


async def run(registry: Registry, listener: socket.socket, *, page: bool) -> None:
    """Serve on an open port until a signal comes or the engine fails to load.

    The app is built in the running loop because gradio makes its locks with the page.
    """

    def stop() -> None:
        server.should_exit = True

    server = uvicorn.Server(server_config(build(registry, page=page, on_failure=stop)))
    await server.serve(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything slow is done.

    Raises:
        PortBusy: somebody else has it.
        BadSetting: this machine has no such address, or does not let us have it.
    """
    if not 0 <= port <= MAX_PORT:
        raise BadSetting("port", port, f"it must be between 0 and {MAX_PORT}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except PermissionError as error:
        raise BadSetting("port", port, "choose one above 1023") from error
    except socket.gaierror as error:
        raise BadSetting("host", host, "this machine does not know that name") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(host, port) from error
        raise BadSetting("host", host, f"this machine cannot listen there ({error})") from error


def server_config(app: FastAPI) -> uvicorn.Config:
    """How uvicorn runs the app: small messages up, a dead link noticed, JPEG not deflated again."""
    return uvicorn.Config(
        app,
        ws_max_size=MESSAGE_BYTES,
        ws_ping_interval=5,
        ws_ping_timeout=10,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
        log_level="warning",
    )


def build(registry: Registry, *, page: bool, on_failure: Callable[[], None]) -> FastAPI:
    """The web app of one registry.

    Args:
        registry: opened in the background when the app starts, closed when it ends.
        page: mount the Gradio page; without it nothing imports gradio.
        on_failure: called when the engine cannot be loaded; ``registry.failure`` says why.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        opening = asyncio.create_task(registry.open())
        opening.add_done_callback(lambda _: on_failure() if registry.failure else None)
        yield
        opening.cancel()
        await registry.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    _add_socket(app, registry)
    _add_pictures(app, registry.gallery)
    _add_reports(app, registry)
    if page:
        from app.ui.page import mount_page

        files = f"world/static/{_version(UI)}"
        app.mount(f"/{files}", StaticFiles(directory=UI))
        mount_page(app, registry.gallery, files)  # last: a mount at / hides what comes after it
    return app


def _add_socket(app: FastAPI, registry: Registry) -> None:
    tickets = Tickets()

    @app.post("/world/ticket")
    async def ticket(request: Request) -> Response:
        if not same_origin(request.headers):
            return Response(status_code=403)
        return JSONResponse({"ticket": tickets.issue()}, headers={"cache-control": "no-store"})

    @app.websocket("/world/ws")
    async def play(websocket: WebSocket) -> None:
        await serve_socket(websocket, registry, tickets)


def _add_pictures(app: FastAPI, gallery: Gallery) -> None:
    app.mount("/world/scenes", StaticFiles(directory=gallery.folder))

    @app.post("/world/image")
    async def keep(request: Request) -> Response:
        if not same_origin(request.headers):
            return Response(status_code=403)
        try:
            return JSONResponse({"image": await gallery.keep(await _body(request))})
        except UploadTooLarge as error:
            return JSONResponse({"error": explain(error)}, status_code=413)
        except WorldError as error:
            return JSONResponse({"error": explain(error)}, status_code=422)


async def _body(request: Request) -> bytes:
    """The request's body, read no further than the limit.

    Raises:
        UploadTooLarge: it is longer.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > UPLOAD_MB * 1_000_000:
            raise UploadTooLarge(UPLOAD_MB)
    return bytes(body)


def _add_reports(app: FastAPI, registry: Registry) -> None:
    @app.get("/healthz")
    async def health() -> Response:
        if registry.engine:
            return JSONResponse({"status": "ready", "progress": 1.0})
        if registry.failure:
            words = explain(registry.failure)
            return JSONResponse({"status": "failed", "error": words}, status_code=503)
        body = {"status": "loading", "progress": registry.progress}
        return JSONResponse(body, status_code=503)

    @app.get("/metrics")
    async def metrics() -> Response:
        gauges = {"players": registry.players, "ready": int(registry.engine is not None)}
        return PlainTextResponse(registry.metrics.render(gauges))

    @app.get("/world/layout")
    async def layout() -> Response:
        if registry.engine is None:
            return JSONResponse({"error": explain(StillLoading(registry.progress))}, 503)
        described = await registry.in_engine_thread(registry.engine.layout)
        return Response(msgspec.json.encode(described), media_type="application/json")


def _version(folder: Path) -> str:
    """A name that changes with any file of the folder, so that browsers may keep what they have."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.*s")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
