"""Bytes on the socket and what they mean, for both directions, in this one place.

Up, and all control down: JSON text with a ``type``. Frames down: a little-endian header, then a
JPEG to the end of the message. ``ui/frames.js`` reads the same header.
"""

from dataclasses import dataclass
from struct import Struct as Layout
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from app.errors import BadMessage

Text = Annotated[str, Meta(max_length=1000)]
Name = Annotated[str, Meta(max_length=64)]
Count = Annotated[int, Meta(ge=0, lt=2**32)]
Keys = Annotated[list[Name], Meta(max_length=16)]
Pixels = Annotated[float, Meta(ge=-10_000, le=10_000)]


class Up(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag=str.lower):
    """A message from the page; its class's name in small letters is its type."""


class Hello(Up, frozen=True):
    """First of all messages: the ticket that this page fetched."""

    ticket: Name


class Start(Up, frozen=True):
    """Open a world from a scene of the gallery, or from an uploaded ``image`` by its id."""

    scene: Name | None = None
    image: Name | None = None
    prompt: Text = ""
    seed: Count = 0


class Input(Up, frozen=True):
    """The keys held at ``at_ms`` of the page's clock and the mouse's way since the last message.

    ``seq`` counts changes; a repetition, sent as a sign of life, keeps its number.
    """

    seq: Count
    keys: Keys
    at_ms: float
    dx: Pixels = 0.0
    dy: Pixels = 0.0


class Ack(Up, frozen=True):
    """Frame ``frame`` is on the screen; the clock wants ``spare`` frames more than usual."""

    frame: Count
    spare: Annotated[int, Meta(ge=0, le=64)] = 0


class Prompt(Up, frozen=True):
    """Go on with another prompt."""

    prompt: Text


class Pause(Up, frozen=True):
    """Make no more chunks until ``resume``."""


class Resume(Up, frozen=True):
    """Go on after ``pause``."""


class Reset(Up, frozen=True):
    """Begin the same world again."""


class Stop(Up, frozen=True):
    """Close the world and free its place."""


class Ping(Up, frozen=True):
    """Ask for a ``pong`` with the same time."""

    at_ms: float


class Down(Struct, frozen=True, tag_field="type", tag=str.lower):
    """A message to the page; its class's name in small letters is its type."""


class Loading(Down, frozen=True):
    """The engine is not ready; ``progress`` goes from 0 to 1."""

    progress: float


class Ready(Down, frozen=True):
    """The engine is ready, and these are the numbers the page needs to show its world."""

    world: str
    title: str
    width: int
    height: int
    fps: int
    chunk_frames: int
    keys: list[str]


class State(Down, frozen=True):
    """What the player's world does now: opening, playing, paused or stopped."""

    state: str


class Receipt(Down, frozen=True):
    """``of`` (a message's type) took effect from chunk ``chunk`` on."""

    of: str
    chunk: int


class Failed(Down, frozen=True):
    """What went wrong, in words."""

    message: str


class Pong(Down, frozen=True):
    """The answer to ``ping``, with its time."""

    at_ms: float


UpMessage = Hello | Start | Input | Ack | Prompt | Pause | Resume | Reset | Stop | Ping
_up: msgspec.json.Decoder[UpMessage] = msgspec.json.Decoder(UpMessage)


def decode(text: str | bytes) -> UpMessage:
    """Read a message of the page.

    Raises:
        BadMessage: it is no JSON, of no known type, or a value is missing or out of range.
    """
    try:
        return _up.decode(text)
    except msgspec.DecodeError as error:  # a ValidationError is one too
        raise BadMessage(str(error)) from error


def encode(message: Down) -> str:
    """Write a message to the page."""
    return msgspec.json.encode(message).decode()


MAGIC = b"WLD1"
_HEADER = Layout("<4s3Id2f12f")


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the page must know about a frame: 80 bytes before its JPEG.

    ``number`` and ``chunk`` count from the world's start. ``input_seq`` and ``input_at_ms`` are
    those of the last input it contains, on the page's clock, ``waited_ms`` that input's way from
    its arrival to its use, ``generated_ms`` from there until the frame was handed to the socket.
    """

    number: int
    chunk: int
    input_seq: int
    input_at_ms: float
    waited_ms: float
    generated_ms: float
    c2w_44: NDArray[np.float64]

    def pack(self) -> bytes:
        """The header's bytes: magic, three u32, f64, two f32, then 3 rows of c2w as f32."""
        return _HEADER.pack(
            MAGIC,
            self.number,
            self.chunk,
            self.input_seq,
            self.input_at_ms,
            self.waited_ms,
            self.generated_ms,
            *self.c2w_44[:3].ravel(),
        )

    @classmethod
    def unpack(cls, message: bytes) -> tuple["FrameHeader", bytes]:
        """Split a frame's message into its header and its JPEG, as the page does.

        Raises:
            BadMessage: it does not begin with a header of this version.
        """
        if len(message) < _HEADER.size or message[:4] != MAGIC:
            raise BadMessage("a frame must begin with WLD1 and an 80-byte header")
        _, number, chunk, seq, at_ms, waited_ms, generated_ms, *rows = _HEADER.unpack_from(message)
        c2w_44 = np.vstack([np.reshape(rows, (3, 4)), (0.0, 0.0, 0.0, 1.0)])
        header = cls(number, chunk, seq, at_ms, waited_ms, generated_ms, c2w_44)
        return header, message[_HEADER.size :]
