import json

import numpy as np
import pytest
import torch
from PIL import Image

from model.training.attributes import Attributes, Place
from model.training.clips import sample_clips
from model.training.players import scripted_paths
from model.training.scenes import SCENES, render_scene, write_scenes

pytestmark = pytest.mark.cpu

SIZE = {"height": 16, "width": 26}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_same_seed_same_clips():
    first, again, other = (sample_clips(3, 5, generator(s), **SIZE) for s in (1, 1, 2))
    assert first.frames.shape == (3, 5, 3, 16, 26)
    assert first.frames.dtype == torch.uint8
    assert torch.equal(first.frames, again.frames)
    assert torch.equal(first.c2w_BF44, again.c2w_BF44)
    assert first.captions_before == again.captions_before
    assert not torch.equal(first.frames, other.frames)


def test_pictures_change_only_after_the_switch():
    day = Place("city", "day", "clear", ("houses",))
    seeds = generator(3)
    clips = sample_clips(
        2,
        25,
        seeds,
        **SIZE,
        paths=scripted_paths("still", 2, 25, seeds),
        attributes=Attributes.of(day, day._replace(time="night"), 3, count=2),
    )
    frames = clips.frames.int()
    assert (frames[:, :9] == frames[:, :1]).all()
    assert frames[:, 9].float().mean() < frames[:, 8].float().mean()
    assert frames[:, 24].float().mean() < 0.6 * frames[:, 0].float().mean()
    assert clips.switch_B.tolist() == [3, 3]


def test_captions_follow_the_changes():
    clips = sample_clips(60, 17, generator(4), height=2, width=2)
    changes = clips.switch_B < 5
    assert changes.any()
    pairs = list(zip(clips.captions_before, clips.captions_after, changes.tolist(), strict=True))
    assert all(before == after for before, after, changed in pairs if not changed)
    assert any(before != after for before, after, changed in pairs if changed)
    assert sum(before == "" for before, _, _ in pairs) in range(1, 16)
    assert all((before == "") == (after == "") for before, after, _ in pairs)


def test_scenes_are_written_as_described(tmp_path):
    write_scenes(tmp_path, 8, 13)
    rows = json.loads((tmp_path / "scenes.json").read_text())
    assert [row["name"] for row in rows] == [scene.name for scene in SCENES]
    assert len({row["seed"] for row in rows}) == len(rows) == 8
    assert {scene.place.biome for scene in SCENES} == {
        "meadow", "desert", "snow", "city", "mars", "candy",
    }  # fmt: skip
    for row in rows:
        assert set(row) == {"name", "title", "prompt", "image", "credit", "seed"}
        with Image.open(tmp_path / row["image"]) as picture:
            assert picture.size == (13, 8)
    again = render_scene(SCENES[0], 8, 13, supersample=4)
    with Image.open(tmp_path / rows[0]["image"]) as picture:
        assert np.array_equal(np.asarray(picture), again.permute(1, 2, 0).numpy())
