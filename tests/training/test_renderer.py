import math
from dataclasses import replace

import pytest
import torch

from model.training import tables
from model.training.attributes import Attributes, Place
from model.training.players import scripted_paths
from model.training.renderer import render
from model.training.worlds import Worlds, sample_worlds

pytestmark = pytest.mark.cpu

HEIGHT, WIDTH = 32, 52
DAY = Place("meadow", "day", "clear", ("houses",))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def camera(*, yaw_deg: float = 0.0, pitch_deg: float = 0.0, forward: float = 0.0) -> torch.Tensor:
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    turn = torch.tensor(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    look = torch.tensor(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    c2w_44 = torch.eye(4)
    c2w_44[:3, :3] = turn @ look
    c2w_44[2, 3] = forward
    return c2w_44[None, None]


def plain_world(place: Place = DAY) -> Worlds:
    """One world with nothing in it, no clouds and no hills."""
    attributes = Attributes.of(place, place, 1, count=1)
    worlds = sample_worlds(camera(), generator(), events=False, attributes=attributes)
    ground = worlds.ground_BC.clone()
    ground[:, [8, 10]] = 0
    return replace(worlds, things_BNC=torch.zeros_like(worlds.things_BNC), ground_BC=ground)


def with_red_pillar(x: float, z: float) -> Worlds:
    """The plain world with one red pillar, 3 m tall and 1.2 m thick."""
    worlds = plain_world()
    worlds.things_BNC[0, tables.ELLIPSOID_END] = torch.tensor(
        [x, 0.1, z, 0.6, 1.5, 0.6, 1, 0, 0.9, 0, 0, 0.9, 0, 0, 1.75, 0]
    )
    return worlds


def red_mask(worlds: Worlds, c2w: torch.Tensor) -> torch.Tensor:
    red, green, _ = render(worlds, c2w, HEIGHT, WIDTH)[0, 0].int()
    return red > 2 * green + 20


def mean_column(mask: torch.Tensor) -> float:
    return float(mask.nonzero()[:, 1].float().mean()) + 0.5


def test_a_landmark_lies_where_the_pinhole_lens_puts_it():
    column = mean_column(red_mask(with_red_pillar(x=1.5, z=8.0), camera()))
    assert column == pytest.approx(0.64 * WIDTH * 1.5 / 8 + WIDTH / 2, abs=0.6)


def test_turning_right_moves_a_landmark_left():
    worlds = with_red_pillar(x=0.0, z=8.0)
    ahead = mean_column(red_mask(worlds, camera()))
    turned = mean_column(red_mask(worlds, camera(yaw_deg=15)))
    assert ahead == pytest.approx(WIDTH / 2, abs=0.6)
    assert turned == pytest.approx(WIDTH / 2 - 0.64 * WIDTH * math.tan(math.radians(15)), abs=0.6)


def test_walking_forward_enlarges_a_landmark():
    worlds = with_red_pillar(x=0.0, z=8.0)
    far = red_mask(worlds, camera()).sum()
    near = red_mask(worlds, camera(forward=4.0)).sum()
    assert 3.5 < float(near / far) < 5.5  # twice as near, a little more at its front


@pytest.mark.parametrize("pitch_deg", [-20.0, 0.0, 12.0])
def test_the_horizon_follows_the_pitch(pitch_deg):
    picture = render(plain_world(), camera(pitch_deg=pitch_deg), HEIGHT, WIDTH)[0, 0].int()
    is_ground = picture[1] > picture[2]  # grass is greener than blue, the sky is not
    horizon = int((~is_ground).sum(dim=0).float().median())
    # Looking up lowers the horizon in the picture. Fog hides the last degrees of the ground.
    expected = HEIGHT / 2 + 0.64 * WIDTH * math.tan(math.radians(pitch_deg))
    assert horizon == pytest.approx(expected, abs=3)


def test_things_throw_shadows_away_from_the_sun():
    worlds = with_red_pillar(x=0.0, z=6.0)
    light = worlds.light_BFC.clone()
    light[..., 12:15] = torch.tensor([0.8, -0.6, 0.0])  # the sun stands to the right
    lit = replace(worlds, light_BFC=light)
    empty = replace(plain_world(), light_BFC=light)
    change = render(lit, camera(), HEIGHT, WIDTH).int() - render(empty, camera(), HEIGHT, WIDTH)
    below = (change[0, 0].sum(dim=0) < -30)[HEIGHT // 2 + 4 :]
    mid = WIDTH // 2
    assert below[:, : mid - 6].sum() > 5
    assert below[:, mid + 6 :].sum() == 0


def test_windows_are_lit_at_night():
    path = scripted_paths("still", 6, 1, generator(5))

    def brightest(place: Place) -> float:
        attributes = Attributes.of(place, place, 1, count=6)
        worlds = sample_worlds(path, generator(6), events=False, attributes=attributes)
        ground = worlds.ground_BC.clone()
        ground[:, 8] = 0  # no clouds
        light = worlds.light_BFC.clone()
        light[..., 19] = 0  # no moon
        worlds = replace(worlds, ground_BC=ground, light_BFC=light)
        return float(render(worlds, path, HEIGHT, WIDTH, supersample=1)[:, :, 0].max())

    houses = brightest(Place("snow", "night", "clear", ("houses",)))
    trees = brightest(Place("snow", "night", "clear", ("trees",)))
    assert houses > trees + 40


def test_supersampling_averages():
    worlds = with_red_pillar(x=1.5, z=8.0)
    fine = render(worlds, camera(), HEIGHT * 2, WIDTH * 2, supersample=1)[0, 0].float()
    coarse = render(worlds, camera(), HEIGHT, WIDTH, supersample=2)[0, 0].float()
    pooled = torch.nn.functional.avg_pool2d(fine, 2)
    assert float((pooled - coarse).abs().mean()) < 1
