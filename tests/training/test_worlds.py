import pytest
import torch

from model.training import tables
from model.training.attributes import Attributes, Place, sample_attributes
from model.training.palette import BIOMES, THINGS, TIMES, WEATHERS
from model.training.players import sample_paths
from model.training.worlds import BLEND_FRAMES, sample_worlds

pytestmark = pytest.mark.cpu


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_nothing_is_walked_through():
    seeds = generator(1)
    path = sample_paths(48, 81, seeds)
    worlds = sample_worlds(path, seeds, events=False)
    x, _, z, half_x, _, half_z = worlds.things_BNC[..., :6].unbind(dim=-1)
    cosine, sine = worlds.things_BNC[..., 6], worlds.things_BNC[..., 7]
    there = worlds.things_BNC[..., tables.RADIUS] > 0
    dx = path[:, :, None, 0, 3] - x[:, None]
    dz = path[:, :, None, 2, 3] - z[:, None]
    across = (dx * cosine[:, None] - dz * sine[:, None]).abs() - half_x[:, None]
    deep = (dx * sine[:, None] + dz * cosine[:, None]).abs() - half_z[:, None]
    inside = (torch.maximum(across, deep) < 0.3) & there[:, None]
    assert there.sum(dim=1).float().mean() > 8
    assert not inside.any()


def test_things_stand_on_or_in_the_ground():
    seeds = generator(2)
    worlds = sample_worlds(sample_paths(16, 5, seeds), seeds, events=False)
    rows = worlds.things_BNC
    bottom = rows[..., 1] + rows[..., 4]
    boxes = slice(0, tables.BOX_END)
    trunks_and_pillars = slice(tables.ELLIPSOID_END, tables.CYLINDER_END)
    for part in (boxes, trunks_and_pillars):
        torch.testing.assert_close(
            bottom[:, part], torch.full_like(bottom[:, part], tables.EYE_HEIGHT)
        )
    boulders = slice(tables.ROOF_END, tables.ROOF_END + tables.BOULDERS)
    assert (bottom[:, boulders] > tables.EYE_HEIGHT).all()


def test_only_the_chosen_kinds_stand_there():
    place = Place("mars", "day", "clear", ("pillars",))
    seeds = generator(3)
    worlds = sample_worlds(
        sample_paths(8, 5, seeds), seeds, events=False, attributes=Attributes.of(place, place, 2, 8)
    )
    there = worlds.things_BNC[..., tables.RADIUS] > 0
    pillars = slice(tables.ELLIPSOID_END, tables.ELLIPSOID_END + tables.PILLARS)
    assert there[:, pillars].any()
    there[:, pillars] = False
    assert not there.any()


def test_light_changes_only_from_the_switch_on_and_is_complete_after_the_blend():
    day = Place("meadow", "day", "clear", ("trees",))
    night = day._replace(time="night", weather="foggy")
    seeds = generator(4)
    path = sample_paths(2, 81, seeds)
    switch = 6
    light = sample_worlds(
        path, generator(5), events=False, attributes=Attributes.of(day, night, switch, 2)
    ).light_BFC
    first_changed = 4 * switch - 3
    assert (light[:, :first_changed] == light[:, :1]).all()
    assert (light[:, first_changed] != light[:, 0]).any(dim=-1).all()
    complete = 4 * (switch - 1) + BLEND_FRAMES
    torch.testing.assert_close(light[:, complete:], light[:, -1:].expand_as(light[:, complete:]))
    always_night = sample_worlds(
        path, generator(5), events=False, attributes=Attributes.of(night, night, 21, 2)
    ).light_BFC
    torch.testing.assert_close(light[:, -1], always_night[:, -1])


def test_sampled_attributes_cover_everything_and_change_in_nearly_half():
    sample = sample_attributes(2000, 21, generator(6), events=True)
    assert sample.biome_B.bincount().shape == (len(BIOMES),)
    assert sample.time_before_B.bincount().min() > 2000 / len(TIMES) * 0.8
    assert sample.weather_before_B.bincount().shape == (len(WEATHERS),)
    assert sample.things_B4.any(dim=1).all()
    changes = sample.switch_B < 21
    assert 0.4 < changes.double().mean() < 0.5
    differs = (sample.time_before_B != sample.time_after_B) | (
        sample.weather_before_B != sample.weather_after_B
    )
    assert torch.equal(differs, changes)
    assert sample.switch_B.min() >= 1
    calm = sample_attributes(50, 21, generator(6), events=False)
    assert (calm.switch_B == 21).all()


def test_places_are_the_attributes_in_words():
    before = Place("candy", "sunset", "foggy", THINGS[1:3])
    after = before._replace(time="night")
    assert Attributes.of(before, after, 3, 2).places() == [(before, after)] * 2
