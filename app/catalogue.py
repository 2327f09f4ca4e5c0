"""The worlds there are, and whether their weights lie where they should."""

import re
from dataclasses import dataclass
from pathlib import Path

from model import WORLDS, WorldConfig

ROOT = Path(__file__).resolve().parent.parent
_CARD_LINE = re.compile(r"([\w.-]+\.(?:safetensors|json))\b.*?\b([0-9a-f]{64})\b")


@dataclass(frozen=True, slots=True)
class Entry:
    """One world, as a line of the list."""

    name: str
    title: str
    width: int
    height: int
    fps: int
    license: str
    weights: str
    present: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All worlds."""

    worlds: tuple[Entry, ...]

    def __str__(self) -> str:
        return "\n".join(
            f"{world.name:16} {world.width}x{world.height} at {world.fps} fps, "
            f"{'ready' if world.present else f'no weights in {world.weights}'}. {world.title}"
            for world in self.worlds
        )


def catalogue() -> Catalogue:
    """The list for ``launch.py worlds``."""
    return Catalogue(
        tuple(
            Entry(
                name=world.name,
                title=world.title,
                width=world.width,
                height=world.height,
                fps=world.fps,
                license=world.license,
                weights=world.weights,
                present=any(weights_of(world)),
            )
            for world in WORLDS.values()
        )
    )


def weights_of(world: WorldConfig) -> list[Path]:
    """The weight files of a world that are here."""
    return sorted((ROOT / world.weights).glob("*.safetensors"))


def card_checksums(world: WorldConfig) -> dict[str, str]:
    """File name to SHA-256, from the lines of the weights' CARD.md that name both."""
    card = ROOT / world.weights / "CARD.md"
    return dict(_CARD_LINE.findall(card.read_text())) if card.is_file() else {}
