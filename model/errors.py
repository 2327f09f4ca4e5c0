"""What can go wrong, as values. The words for each kind live in ``app/messages.py``, once."""

from dataclasses import dataclass
from pathlib import Path


class WorldError(Exception):
    """A user's mistake or a machine's fault that has a remedy. Its subclasses carry the facts."""


@dataclass(eq=False)
class UnknownWorld(WorldError):
    """No row of ``WORLDS`` has this name."""

    name: str
    known: tuple[str, ...]


@dataclass(eq=False)
class MissingWeights(WorldError):
    """A file of the world's weights is not where it should be."""

    world: str
    path: Path


@dataclass(eq=False)
class BadWeights(WorldError):
    """The weights do not fit the model: ``problems`` lists each tensor by name."""

    world: str
    problems: tuple[str, ...]


@dataclass(eq=False)
class BadImage(WorldError):
    """A picture that cannot be a world's first frame: not an image, too large, or broken."""

    reason: str


@dataclass(eq=False)
class BadPoses(WorldError):
    """Camera poses that no camera can take: wrong shape, not finite, or not rigid."""

    reason: str


@dataclass(eq=False)
class BadSetting(WorldError):
    """A setting whose value cannot be used; ``remedy`` says what would do."""

    name: str
    value: object
    remedy: str


@dataclass(eq=False)
class RolloutClosed(WorldError):
    """A closed rollout was asked to go on."""
