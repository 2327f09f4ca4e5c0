"""One WebSocket a player: JSON text up, JSON text and binary frames down."""

import asyncio
import contextlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.errors import BadTicket
from app.messages import explain
from app.protocol import Failed, Hello, decode, encode
from app.registry import Registry
from app.session import Session
from app.transport.tickets import Tickets
from model import WorldError

HELLO_SECONDS = 10.0
POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from our own page, or from no browser at all."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


async def serve_socket(socket: WebSocket, registry: Registry, tickets: Tickets) -> None:
    """Play with whoever opens this socket, until it closes."""
    if not same_origin(socket.headers):
        await socket.close()  # before it is accepted, so the answer is 403
        return
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        if await _has_ticket(socket, tickets):
            await _converse(socket, registry)
        else:
            await socket.send_text(encode(Failed(explain(BadTicket()))))
            await socket.close(POLICY_VIOLATION)


async def _has_ticket(socket: WebSocket, tickets: Tickets) -> bool:
    """Whether the first message comes soon and shows a ticket that is still good."""
    try:
        hello = decode(await asyncio.wait_for(_receive(socket), HELLO_SECONDS))
    except (WorldError, TimeoutError):
        return False
    return isinstance(hello, Hello) and tickets.redeem(hello.ticket)


async def _converse(socket: WebSocket, registry: Registry) -> None:
    session = Session(registry.metrics)
    tasks = [
        asyncio.create_task(_send(socket, session)),
        asyncio.create_task(registry.announce(session)),
    ]
    try:
        while True:
            text = await _receive(socket)
            try:
                await registry.handle(session, decode(text))
            except WorldError as error:
                session.post(Failed(explain(error)))
    finally:
        for task in tasks:
            task.cancel()
        await registry.leave(session)


async def _receive(socket: WebSocket) -> str | bytes:
    """The next message, be it text or, against the protocol, bytes.

    Raises:
        WebSocketDisconnect: the socket closed.
    """
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event["code"])
    text: str | bytes = event.get("text") or event.get("bytes") or ""
    return text


async def _send(socket: WebSocket, session: Session) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        async for message in session.outgoing():
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)
