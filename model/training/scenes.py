"""The gallery's start pictures: eight places of our own renderer, the same ones every time."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from model.training.attributes import Attributes, Place
from model.training.palette import THINGS
from model.training.players import scripted_paths
from model.training.renderer import render
from model.training.worlds import sample_worlds

CREDIT = "rendered by model/training/scenes.py"
FRAMES_KEPT_FREE = 81  # nothing stands in the way of a player who walks straight on for so long
SUPERSAMPLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRecipe:
    """A start picture: its slug and words, the place it shows, and the seed of its world."""

    name: str
    title: str
    prompt: str
    place: Place
    seed: int


SCENES: tuple[SceneRecipe, ...] = (
    SceneRecipe(
        name="meadow-day",
        title="Meadow at noon",
        prompt="a green meadow with houses and trees on a sunny day",
        place=Place("meadow", "day", "clear", ("houses", "trees", "boulders")),
        seed=5,
    ),
    SceneRecipe(
        name="desert-sunset",
        title="Desert at sunset",
        prompt="a sandy desert with pillars, trees and boulders at sunset",
        place=Place("desert", "sunset", "clear", ("pillars", "trees", "boulders")),
        seed=11,
    ),
    SceneRecipe(
        name="snow-night",
        title="Winter night",
        prompt="a snow-covered plain with houses and trees at night",
        place=Place("snow", "night", "clear", ("houses", "trees")),
        seed=3,
    ),
    SceneRecipe(
        name="city-night",
        title="City after dark",
        prompt="a city square with tall buildings and pillars at night",
        place=Place("city", "night", "clear", ("houses", "pillars", "trees")),
        seed=7,
    ),
    SceneRecipe(
        name="mars-day",
        title="Colony on Mars",
        prompt="the surface of Mars with buildings, rocks and trees by day",
        place=Place("mars", "day", "clear", THINGS),
        seed=14,
    ),
    SceneRecipe(
        name="candy-day",
        title="Candy land",
        prompt="a candy land with houses, trees and striped columns in bright daylight",
        place=Place("candy", "day", "clear", THINGS),
        seed=12,
    ),
    SceneRecipe(
        name="meadow-fog",
        title="Meadow in the mist",
        prompt="a grassy field with trees, houses and rocks in thick fog in the morning",
        place=Place("meadow", "day", "foggy", THINGS),
        seed=13,
    ),
    SceneRecipe(
        name="city-sunset",
        title="City in the evening",
        prompt="city streets with buildings and trees at sunset",
        place=Place("city", "sunset", "clear", ("houses", "trees", "pillars")),
        seed=2,
    ),
)


def write_scenes(folder: Path, height: int, width: int) -> None:
    """Write each of ``SCENES`` as a PNG of ``height`` x ``width`` pixels, and ``scenes.json``.

    The list in ``scenes.json`` says of each: name, title, prompt, image (file name), credit, seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for scene in SCENES:
        image = f"{scene.name}.png"
        picture_3HW = render_scene(scene, height, width, supersample=SUPERSAMPLE)
        Image.fromarray(picture_3HW.permute(1, 2, 0).numpy()).save(folder / image, optimize=True)
        rows.append(
            {
                "name": scene.name,
                "title": scene.title,
                "prompt": scene.prompt,
                "image": image,
                "credit": CREDIT,
                "seed": scene.seed,
            }
        )
    (folder / "scenes.json").write_text(json.dumps(rows, indent=2) + "\n")


def render_scene(scene: SceneRecipe, height: int, width: int, *, supersample: int) -> torch.Tensor:
    """The picture of a scene on the CPU, uint8 ``[3, height, width]``."""
    generator = torch.Generator().manual_seed(scene.seed)
    path_1F44 = scripted_paths("forward", 1, FRAMES_KEPT_FREE, generator)
    attributes = Attributes.of(scene.place, scene.place, FRAMES_KEPT_FREE, count=1)
    worlds = sample_worlds(path_1F44, generator, events=False, attributes=attributes)
    first_1144 = path_1F44[:, :1]
    return render(worlds, first_1144, height, width, supersample=supersample)[0, 0]
