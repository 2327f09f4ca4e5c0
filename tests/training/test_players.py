import math

import pytest
import torch

from model.training.players import ACTIONS, FPS, PITCH_LIMIT, sample_paths, scripted_paths

pytestmark = pytest.mark.cpu


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def relative(path_BF44: torch.Tensor) -> torch.Tensor:
    """Cameras seen from the clip's first one."""
    path_BF44 = path_BF44.double()
    return torch.linalg.inv(path_BF44[:, :1]) @ path_BF44


def speeds_of(path_BF44: torch.Tensor) -> torch.Tensor:
    """Each frame's way right and forward, and its change of yaw and pitch, ``[B, F - 1, 4]``."""
    yaw = torch.atan2(-path_BF44[..., 2, 0], path_BF44[..., 0, 0])
    pitch = (-path_BF44[..., 1, 2]).asin()
    turn = torch.remainder(yaw.diff(dim=1) + math.pi, 2 * math.pi) - math.pi
    heading = yaw[:, :-1] + turn / 2
    x, z = path_BF44[..., 0, 3].diff(dim=1), path_BF44[..., 2, 3].diff(dim=1)
    right = x * heading.cos() - z * heading.sin()
    forward = x * heading.sin() + z * heading.cos()
    return torch.stack([right, forward, turn, pitch.diff(dim=1)], dim=-1)


@pytest.mark.parametrize(
    ("action", "moved", "turned_deg"),
    [
        ("forward", (0.0, 0.0, 0.75), 0.0),
        ("back", (0.0, 0.0, -0.75), 0.0),
        ("left", (-0.75, 0.0, 0.0), 0.0),
        ("right", (0.75, 0.0, 0.0), 0.0),
        ("turn_left", (0.0, 0.0, 0.0), -11.25),
        ("turn_right", (0.0, 0.0, 0.0), 11.25),
        ("still", (0.0, 0.0, 0.0), 0.0),
    ],
)
def test_one_latent_of_an_action_is_a_quarter_second_of_full_speed(action, moved, turned_deg):
    after_B44 = relative(scripted_paths(action, 3, 9, generator()))[:, 4]
    torch.testing.assert_close(
        after_B44[:, :3, 3], torch.tensor(moved).double().expand(3, 3), atol=1e-5, rtol=0
    )
    # Turning right carries the forward axis towards +x.
    turned = torch.rad2deg(torch.atan2(after_B44[:, 0, 2], after_B44[:, 2, 2]))
    torch.testing.assert_close(turned, torch.full_like(turned, turned_deg), atol=1e-3, rtol=0)


def test_walking_while_turning_follows_an_arc():
    path = relative(scripted_paths("walk_turn", 1, 81, generator()))[0]
    radius = 3.0 / math.radians(45.0)  # speed / turning rate, centred to the right of the start
    distance = (path[:, :3, 3] - torch.tensor([radius, 0.0, 0.0]).double()).norm(dim=-1)
    torch.testing.assert_close(distance, torch.full_like(distance, radius), atol=1e-4, rtol=0)


def test_players_start_at_the_origin_stay_upright_and_on_the_ground():
    path = sample_paths(64, 81, generator(1))
    assert path.dtype == torch.float32
    torch.testing.assert_close(path[:, 0, :3, 3], torch.zeros(64, 3))
    assert path[..., 1, 3].abs().max() == 0  # height
    assert path[..., 1, 0].abs().max() == 0  # the camera's right axis is level: no roll
    assert (-path[..., 1, 2]).asin().abs().max() <= PITCH_LIMIT + 1e-4
    assert (-path[..., 1, 2]).asin().abs().max() > math.radians(15)
    identity = path[..., :3, :3] @ path[..., :3, :3].mT
    torch.testing.assert_close(identity, torch.eye(3).expand_as(identity), atol=1e-5, rtol=0)


def test_abrupt_commands_change_only_at_latents_and_some_are_held_for_24_frames():
    speeds = speeds_of(sample_paths(200, 81, generator(2)).double())
    same_as_before = (speeds[:, 1:] - speeds[:, :-1]).abs().amax(dim=2) < 1e-4
    within_latent = torch.arange(1, 80) % 4 != 0
    abrupt = same_as_before[:, within_latent].all(dim=1)
    assert 0.5 < abrupt.double().mean() < 0.75

    held = torch.zeros(200)
    longest = held
    for same in same_as_before.unbind(dim=1):
        held = torch.where(same, held + 1, torch.zeros(200))
        longest = torch.maximum(longest, held)
    assert (longest >= 23).double().mean() > 1 / 3


def test_speeds_cover_standing_walking_and_running():
    path = sample_paths(200, 81, generator(3))
    metres_a_second = (path[:, 1:, :3, 3] - path[:, :-1, :3, 3]).norm(dim=-1) * FPS
    assert metres_a_second.min() == 0
    assert ((metres_a_second - 3).abs() < 0.01).double().mean() > 0.2
    assert metres_a_second.max() < 1.5 * 3 * math.sqrt(2) + 1e-3


def test_same_seed_same_paths_and_only_whole_latents():
    assert torch.equal(sample_paths(4, 21, generator(4)), sample_paths(4, 21, generator(4)))
    assert not torch.equal(sample_paths(4, 21, generator(4)), sample_paths(4, 21, generator(5)))
    with pytest.raises(ValueError, match="4n"):
        sample_paths(1, 80, generator())


def test_every_action_has_a_path_of_one_frame_too():
    for action in ACTIONS:
        assert scripted_paths(action, 2, 1, generator()).shape == (2, 1, 4, 4)
