"""Every setting of every sub-command: a field here is a flag of ``launch.py``."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a world may be played at instead of its own numbers; ``None`` keeps the world's."""

    height: int | None = None
    """Rows of the picture, a multiple of 16."""
    width: int | None = None
    """Columns of the picture, a multiple of 16."""
    chunk: int | None = None
    """Latents generated at once."""
    window: int | None = None
    """Latents visible at once, sink and current chunk included."""
    sink: int | None = None
    """First latents that stay visible for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve(Shape):
    """Serve the page and the socket on which a world is played."""

    world: str = "small"
    """Which world (see `worlds`)."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    port: int = 7860
    """Port to listen on."""
    page: bool = True
    """Serve the page too; without it only the socket, health, metrics."""
    players: int = 4
    """How many may play at once; they take turns on one engine."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks run."""
    weights: str | None = None
    """Folder of the weights, if not the world's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench(Shape):
    """Measure a world's speed on this machine, chunk by chunk and stage by stage."""

    world: str = "small"
    """Which world (see `worlds`)."""
    weights: str | None = None
    """`random`, or a folder of weights, if not the world's own."""
    chunks: int = 40
    """Chunks to measure after warm-up."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks run."""
    json: bool = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """List the worlds that can be played."""

    json: bool = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Say what this machine can play and how fast, what is missing, and the remedy."""

    json: bool = False
    """Print one JSON object as the last line."""
