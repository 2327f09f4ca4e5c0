"""How players move: batches of camera paths, as the app would send them.

Axes are those of the renderer: x right, y DOWN, z forward, metres, the eye at y = 0. Yaw > 0 turns
right and pitch > 0 looks up. Commands change at the start of a latent (video frames 4i-3..4i are
latent i) and hold for its four frames. Suffixes: B clips, L latents after the first, T frames
after the first, S segments of a clip, A axes (right, forward, yaw, pitch).
"""

import math

import torch
from torch import Tensor

FPS = 16
STRIDE = 4  # video frames a latent
WALK_SPEED = 3.0  # metres a second
TURN_SPEED = math.radians(45.0)  # radians a second
PITCH_LIMIT = math.radians(30.0)
LONGEST_KEY = 8  # latents a key is held, 2 s at most
LAG = 0.35  # share of the way to the commanded speed that a sluggish player makes in a frame

ABRUPT_CLIPS = 0.6
LONG_HOLD_CLIPS = 0.5
MOUSE_CLIPS = 0.3
ANALOG_CLIPS = 0.25

# Shares of full speed to the (right, forward), and how often a player asks for them.
_MOVES = ((0, 1), (0, -1), (-1, 0), (1, 0), (-1, 1), (1, 1), (0, 0))
_MOVE_ODDS = (0.44, 0.08, 0.08, 0.08, 0.05, 0.05, 0.22)
_TURNS = (0, -1, 1)
_TURN_ODDS = (0.46, 0.27, 0.27)

# What is judged when held for long: (right, forward, yaw) in shares of full speed.
ACTIONS: dict[str, tuple[int, int, int]] = {
    "forward": (0, 1, 0),
    "back": (0, -1, 0),
    "left": (-1, 0, 0),
    "right": (1, 0, 0),
    "turn_left": (0, 0, -1),
    "turn_right": (0, 0, 1),
    "still": (0, 0, 0),
    "walk_turn": (0, 1, 1),
}


def sample_paths(
    count: int,
    frames: int,
    generator: torch.Generator,
    device: torch.device | str | None = None,
) -> Tensor:
    """Cameras of ``count`` players, c2w float32 ``[count, frames, 4, 4]``, on ``device``.

    ``frames`` is 4n + 1. Frame 0 stands at the origin with a random yaw. Three fifths of the
    players change speed at once, as keys in the app do; the others accelerate with a first-order
    lag. Half of them hold one command for 24 frames or more where the clip is long enough.
    """
    latents = _latents(frames)
    draw = _Draw(generator)
    commands_BLA = _segments(draw, count, latents)
    commands_BLA = _hold_long(draw, commands_BLA)
    commands_BLA[..., :2] *= torch.where(
        draw.uniform(count, 1, 1) < ANALOG_CLIPS, 0.3 + 1.2 * draw.uniform(count, 1, 1), 1.0
    )
    pitch_B = torch.where(draw.uniform(count) < 0.5, 0.0, 0.3 * (draw.uniform(count) - 0.5))
    commands_BLA[..., 3] = _bounded_pitch(commands_BLA[..., 3], pitch_B)
    rates_BTA = commands_BLA.repeat_interleave(STRIDE, dim=1)
    sluggish_B = draw.uniform(count) >= ABRUPT_CLIPS
    rates_BTA = torch.where(sluggish_B[:, None, None], _lagged(rates_BTA), rates_BTA)
    return _integrate(rates_BTA, draw.yaw(count), pitch_B).to(device=device, dtype=torch.float32)


def scripted_paths(
    action: str,
    count: int,
    frames: int,
    generator: torch.Generator,
    device: torch.device | str | None = None,
) -> Tensor:
    """One of ``ACTIONS`` held at full speed: c2w float32 ``[count, frames, 4, 4]``, random yaws.

    ``walk_turn`` walks forward and turns right.

    Raises:
        KeyError: no such action.
    """
    right, forward, yaw = ACTIONS[action]
    draw = _Draw(generator)
    rates_A = draw.tensor([right * WALK_SPEED, forward * WALK_SPEED, yaw * TURN_SPEED, 0.0])
    rates_BTA = rates_A.expand(count, STRIDE * _latents(frames), 4)
    level_B = torch.zeros(count, dtype=torch.float64, device=generator.device)
    return _integrate(rates_BTA, draw.yaw(count), level_B).to(device=device, dtype=torch.float32)


class _Draw:
    """Random numbers of one generator, float64 on its device."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def tensor(self, values: object) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self._generator.device)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(
            shape, generator=self._generator, dtype=torch.float64, device=self._generator.device
        )

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(
            low, high, shape, generator=self._generator, device=self._generator.device
        )

    def rows(self, table: object, odds: tuple[float, ...], *shape: int) -> Tensor:
        picked = torch.multinomial(
            self.tensor(odds), math.prod(shape), replacement=True, generator=self._generator
        )
        rows = self.tensor(table)[picked]
        return rows.view(*shape, *rows.shape[1:])

    def sign(self, *shape: int) -> Tensor:
        return 1.0 - 2.0 * self.integers(0, 2, *shape).double()

    def yaw(self, count: int) -> Tensor:
        return 2 * math.pi * self.uniform(count)


def _latents(frames: int) -> int:
    if frames % STRIDE != 1:
        raise ValueError(f"a clip has 4n + 1 frames, not {frames}")
    return frames // STRIDE


def _segments(draw: _Draw, count: int, latents: int) -> Tensor:
    """Commands held for 1..8 latents each, ``[B, L, A]`` in metres and radians a second."""
    segments = max(latents, 1)
    shape = (count, segments)
    moves_BS2 = draw.rows(_MOVES, _MOVE_ODDS, *shape) * WALK_SPEED
    turns_BS = draw.rows(_TURNS, _TURN_ODDS, *shape) * TURN_SPEED
    mouse_B1 = draw.uniform(count, 1) < MOUSE_CLIPS
    yaw_rate_BS = torch.deg2rad(5 + 85 * draw.uniform(*shape))
    turns_BS = torch.where(mouse_B1, turns_BS.sign() * yaw_rate_BS, turns_BS)
    pitch_rate_BS = torch.where(
        mouse_B1, torch.deg2rad(5 + 55 * draw.uniform(*shape)), draw.tensor(TURN_SPEED)
    )
    looks_BS = draw.uniform(*shape) < torch.where(mouse_B1, 0.4, 0.12)
    pitch_rate_BS = torch.where(looks_BS, pitch_rate_BS * draw.sign(*shape), 0.0)
    commands_BSA = torch.cat([moves_BS2, turns_BS[..., None], pitch_rate_BS[..., None]], dim=-1)

    ends_BS = draw.integers(1, LONGEST_KEY + 1, *shape).cumsum(dim=1)
    latent_L = torch.arange(latents, device=ends_BS.device)
    segment_BL = (ends_BS[:, None, :] <= latent_L[:, None]).sum(dim=-1)
    return commands_BSA.gather(1, segment_BL[..., None].expand(-1, -1, 4))


def _hold_long(draw: _Draw, commands_BLA: Tensor) -> Tensor:
    """In half of the clips one of ``ACTIONS`` is held for 6 to 20 latents (24 to 80 frames)."""
    count, latents, _ = commands_BLA.shape
    shortest = 6
    held_BA = draw.rows(tuple((*action, 0) for action in ACTIONS.values()), (1.0,) * 8, count)
    held_BA = held_BA * draw.tensor([WALK_SPEED, WALK_SPEED, TURN_SPEED, 0.0])
    room = max(latents - shortest, 0)
    start_B1 = (draw.uniform(count, 1) * draw.integers(0, room + 1, count, 1)).round()
    length_B1 = draw.integers(shortest, max(latents, shortest) + 1, count, 1)
    latent_L = torch.arange(latents, device=commands_BLA.device)
    chosen_B1 = draw.uniform(count, 1) < LONG_HOLD_CLIPS
    held_BL = chosen_B1 & (latent_L >= start_B1) & (latent_L < start_B1 + length_B1)
    return torch.where(held_BL[..., None], held_BA[:, None], commands_BLA)


def _bounded_pitch(rates_BL: Tensor, pitch_B: Tensor) -> Tensor:
    """Rates that keep the pitch within its limit, and that turn back to level when far from it."""
    seconds = STRIDE / FPS
    pitch_B = pitch_B.clone()
    bounded = []
    for rate_B in rates_BL.unbind(dim=1):
        away_B = pitch_B.abs() > math.radians(18)
        wanted_B = torch.where(away_B, -pitch_B.sign() * rate_B.abs(), rate_B)
        next_B = (pitch_B + wanted_B * seconds).clamp(-PITCH_LIMIT, PITCH_LIMIT)
        bounded.append((next_B - pitch_B) / seconds)
        pitch_B = next_B
    return torch.stack(bounded, dim=1) if bounded else rates_BL


def _lagged(rates_BTA: Tensor) -> Tensor:
    """First-order lag from rest: v[t] = v[t-1] + LAG (rate[t] - v[t-1]), as one product."""
    step_T = torch.arange(rates_BTA.shape[1], device=rates_BTA.device)
    age_TT = step_T[:, None] - step_T
    response_TT = torch.where(age_TT >= 0, LAG * (1 - LAG) ** age_TT.clamp(min=0).double(), 0.0)
    return response_TT @ rates_BTA


def _integrate(rates_BTA: Tensor, yaw_B: Tensor, pitch_B: Tensor) -> Tensor:
    """Speeds a frame (m/s, rad/s) to cameras, c2w float64 ``[B, T + 1, 4, 4]``.

    Each frame is an exact circular arc: its chord points along the heading halfway through the
    turn and is shorter than the arc by sinc(half the turn).
    """
    steps_BTA = rates_BTA / FPS
    turn_BT = steps_BTA[..., 2]
    yaw_BF = torch.cat([yaw_B[:, None], yaw_B[:, None] + turn_BT.cumsum(dim=1)], dim=1)
    pitch_BF = torch.cat(
        [pitch_B[:, None], pitch_B[:, None] + steps_BTA[..., 3].cumsum(dim=1)], dim=1
    )
    halfway_BT = yaw_BF[:, :-1] + turn_BT / 2
    sine_BT, cosine_BT = halfway_BT.sin(), halfway_BT.cos()
    chord_BT2 = steps_BTA[..., :2] * torch.sinc(turn_BT / (2 * math.pi))[..., None]
    right_BT, forward_BT = chord_BT2.unbind(dim=-1)
    walked_BT2 = torch.stack(
        [right_BT * cosine_BT + forward_BT * sine_BT, forward_BT * cosine_BT - right_BT * sine_BT],
        dim=-1,
    ).cumsum(dim=1)
    c2w_BF44 = _upright(yaw_BF, pitch_BF)
    c2w_BF44[:, 1:, 0, 3] = walked_BT2[..., 0]
    c2w_BF44[:, 1:, 2, 3] = walked_BT2[..., 1]
    return c2w_BF44


def _upright(yaw_BF: Tensor, pitch_BF: Tensor) -> Tensor:
    """Yaw about the world's y after pitch about the camera's x, c2w ``[B, F, 4, 4]``, no roll."""
    sine, cosine = yaw_BF.sin(), yaw_BF.cos()
    lift, level = pitch_BF.sin(), pitch_BF.cos()
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    rows = [
        torch.stack([cosine, sine * lift, sine * level, zero], dim=-1),
        torch.stack([zero, level, -lift, zero], dim=-1),
        torch.stack([-sine, cosine * lift, cosine * level, zero], dim=-1),
        torch.stack([zero, zero, zero, one], dim=-1),
    ]
    return torch.stack(rows, dim=-2)
