"""A player without a browser: a real WebSocket, and a page's manners if the test wants them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from served import Served
from websockets.sync.client import ClientConnection, connect

from app.protocol import FrameHeader

Message = dict[str, Any]


class SocketPlayer:
    """Says what it is told to; acknowledges frames as they come unless ``polite`` is off."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.polite = True
        self.headers: list[FrameHeader] = []
        self.jpegs: list[bytes] = []
        self.messages: list[Message] = []

    def say(self, kind: str, **fields: object) -> None:
        self._socket.send(json.dumps({"type": kind, **fields}))

    def say_raw(self, text: str | bytes) -> None:
        self._socket.send(text)

    def listen(self) -> None:
        """Take in one message, whatever it is."""
        message = self._socket.recv(timeout=20)
        if isinstance(message, str):
            self.messages.append(json.loads(message))
            return
        header, jpeg = FrameHeader.unpack(message)
        self.headers.append(header)
        self.jpegs.append(jpeg)
        if self.polite:
            self.say("ack", frame=header.number, spare=0)

    def hear(self, kind: str, holds: Callable[[Message], bool] = lambda _: True) -> Message:
        """Listen until a message of this type has come for which ``holds``; earlier ones count."""
        while True:
            for index, message in enumerate(self.messages):
                if message["type"] == kind and holds(message):
                    self.messages = self.messages[index + 1 :]
                    return message
            self.listen()

    def watch(self, frames: int) -> None:
        """Listen until so many frames more have come."""
        wanted = len(self.headers) + frames
        while len(self.headers) < wanted:
            self.listen()

    def silent_for(self, seconds: float) -> int:
        """Frames that came although nothing is said any more, until ``seconds`` of silence."""
        before = len(self.headers)
        self.polite = False
        try:
            while True:
                message = self._socket.recv(timeout=seconds)
                if isinstance(message, bytes):
                    self.headers.append(FrameHeader.unpack(message)[0])
        except TimeoutError:
            return len(self.headers) - before

    def start(self, **fields: object) -> None:
        self.say("start", **({"scene": "meadow"} | fields))

    def vanish(self) -> None:
        """Drop the connection without a word, as a crash does."""
        self._socket.socket.close()


@contextmanager
def joined(served: Served) -> Iterator[SocketPlayer]:
    """A player who has shown a ticket and heard that the world is ready."""
    with connect(f"ws://{served.host}/world/ws", max_size=None) as socket:
        player = SocketPlayer(socket)
        player.say("hello", ticket=served.ticket())
        player.hear("ready")
        yield player
