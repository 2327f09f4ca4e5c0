"""What can go wrong in the demo itself, as values like those of ``model.errors``."""

from dataclasses import dataclass

from model import WorldError


@dataclass(eq=False)
class BadMessage(WorldError):
    """A message from a page that the protocol does not know or whose values it refuses."""

    reason: str


@dataclass(eq=False)
class BadTicket(WorldError):
    """A socket that opened without a valid one-time ticket."""


@dataclass(eq=False)
class NotPlaying(WorldError):
    """A message that only makes sense while a world is open."""

    wanted: str


@dataclass(eq=False)
class StillLoading(WorldError):
    """A player who wants to start before the world is ready."""

    progress: float


@dataclass(eq=False)
class WorldFull(WorldError):
    """One player more than the server takes."""

    players: int


@dataclass(eq=False)
class UnknownScene(WorldError):
    """A start from a scene or an uploaded picture that is not there."""

    name: str


@dataclass(eq=False)
class UploadTooLarge(WorldError):
    """A picture of more bytes than the server reads."""

    limit_mb: int


@dataclass(eq=False)
class PortBusy(WorldError):
    """Somebody else listens where the server should."""

    host: str
    port: int
