"""How well a world obeys and how it holds, judged against the renderer on held-out seeds.

Legend: B worlds, F frames, H W pixels.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from model.camera.pose import Poses
from model.config import WorldConfig
from model.engine import Engine, Frames, Scene
from model.training.attributes import Place
from model.training.captions import caption
from model.training.players import sample_paths, scripted_paths
from model.training.renderer import render
from model.training.worlds import Worlds, sample_worlds

Play = Callable[[NDArray[np.uint8], Poses, str], Frames]
"""(first frame, poses of all frames, prompt) -> all frames: whatever invents a world."""

ACTIONS = ("forward", "left", "right", "turn_left", "turn_right")
HELD_OUT = 1_000_000
"""Seeds from here on are never trained on."""
DRIFT_FRAMES = (8, 44, 92, 140, 188, 236)


@dataclass(frozen=True)
class Truth:
    """Rendered clips of one world a row, and how it is described."""

    frames_BFHW3: NDArray[np.uint8]
    poses_BF44: Poses
    prompts: list[str]


def engine_play(engine: Engine, seed: int = 0) -> Play:
    """Play by the engine, as a player does."""

    def play(first: NDArray[np.uint8], poses: Poses, prompt: str) -> Frames:
        rollout = engine.open(Scene(first_frame=first, prompt=prompt, seed=seed))
        frames: list[Frames] = []
        done = 0
        while done < len(poses):
            take = rollout.frames_needed
            asked = poses[done : done + take]
            held = np.concatenate([asked, np.repeat(poses[-1:], take - len(asked), axis=0)])
            frames.extend(rollout.step(held))
            done += take
        rollout.close()
        return np.concatenate(frames)[: len(poses)]

    return play


def obedience(play: Play, config: WorldConfig, worlds: int, device: str) -> dict[str, object]:
    """Each action played and compared with the true render of every action.

    A case is a world and an action; it is right if the frame shown under that action is nearer
    (PSNR) to its true render than the frames shown under all other actions, and than the first
    frame.
    """
    truths = {action: _truth(config, action, worlds, 25, device) for action in ACTIONS}
    shown = {
        action: _played(play, truth.frames_BFHW3[:, 0], truth.poses_BF44, truth.prompts)
        for action, truth in truths.items()
    }
    report: dict[str, object] = {"worlds": worlds, "actions": list(ACTIONS)}
    for frame in (12, 24):
        right, beats, own, best_other = [], [], [], []
        for action, truth in truths.items():
            true = truth.frames_BFHW3[:, frame]
            score = {name: psnr(clips[:, frame], true) for name, clips in shown.items()}
            others = np.max([score[name] for name in ACTIONS if name != action], axis=0)
            right.append(score[action] > others)
            beats.append(score[action] > psnr(truth.frames_BFHW3[:, 0], true))
            own.append(score[action])
            best_other.append(others)
        report[f"frame_{frame}"] = {
            "right_action_best": _mean(right),
            "beats_first_frame": _mean(beats),
            "both": _mean(np.logical_and(right, beats)),
            "psnr_db": _mean(own),
            "best_wrong_psnr_db": _mean(best_other),
            "by_action": {a: _mean(r) for a, r in zip(truths, right, strict=True)},
        }
    return report


def accuracy(play: Play, config: WorldConfig, worlds: int, device: str) -> dict[str, object]:
    """Mean PSNR over the first 12, 24 and 48 frames, beside repeating the first frame."""
    report: dict[str, object] = {}
    for action in (*ACTIONS, "walk_turn", "random"):
        truth = _truth(config, action, worlds, 49, device)
        shown = _played(play, truth.frames_BFHW3[:, 0], truth.poses_BF44, truth.prompts)
        still = np.repeat(truth.frames_BFHW3[:, :1], 49, axis=1)
        report[action] = {
            name: [
                _mean(psnr(clips[:, 1 : n + 1], truth.frames_BFHW3[:, 1 : n + 1]))
                for n in (12, 24, 48)
            ]
            for name, clips in (("psnr_db", shown), ("repeat_db", still))
        }
    return report


def drift(play: Play, config: WorldConfig, worlds: int, device: str) -> dict[str, object]:
    """Sharpness (mean horizontal gradient) and brightness against true frames as time goes by."""
    truth = _truth(config, "random", worlds, 237, device)
    shown = _played(play, truth.frames_BFHW3[:, 0], truth.poses_BF44, truth.prompts)
    at = list(DRIFT_FRAMES)
    pair = [clips[:, at].astype(np.float64) / 255 for clips in (shown, truth.frames_BFHW3)]
    sharp = [np.abs(np.diff(clips, axis=3)).mean(axis=(0, 2, 3, 4)) for clips in pair]
    bright = np.abs(pair[0].mean(axis=(2, 3, 4)) - pair[1].mean(axis=(2, 3, 4))).mean(axis=0)
    return {
        "frames": at,
        "sharpness_ratio": [round(float(s), 3) for s in sharp[0] / sharp[1]],
        "brightness_error": [round(float(b), 3) for b in bright],
    }


def contact_sheet(play: Play, config: WorldConfig, worlds: int, device: str) -> NDArray[np.uint8]:
    """Rows of true and invented frames 0, 8, ..., 48 in turn, ``[H', W', 3]``."""
    truth = _truth(config, "random", worlds, 49, device)
    shown = _played(play, truth.frames_BFHW3[:, 0], truth.poses_BF44, truth.prompts)
    rows = []
    for true, invented in zip(truth.frames_BFHW3, shown, strict=True):
        rows += [np.concatenate(list(clip[::8]), axis=1) for clip in (true, invented)]
    return np.concatenate(rows)


def psnr(shown: NDArray[np.uint8], true: NDArray[np.uint8]) -> NDArray[np.float64]:
    """PSNR in dB over the last three axes (a picture) of uint8 arrays."""
    error = (shown.astype(np.float64) - true.astype(np.float64)) ** 2
    value: NDArray[np.float64] = 10 * np.log10(255**2 / (error.mean(axis=(-3, -2, -1)) + 1e-6))
    return value


def _mean(values: ArrayLike) -> float:
    return round(float(np.mean(np.asarray(values, dtype=np.float64))), 3)


def _played(
    play: Play, first_BHW3: NDArray[np.uint8], poses_BF44: Poses, prompts: list[str]
) -> NDArray[np.uint8]:
    zipped = zip(first_BHW3, poses_BF44, prompts, strict=True)
    return np.stack([play(first, poses, prompt) for first, poses, prompt in zipped])


def _truth(config: WorldConfig, action: str, count: int, frames: int, device: str) -> Truth:
    """True renders of one action; the worlds are the same whatever the action."""
    longest = max(frames, 25)
    seed = HELD_OUT + frames
    paths = {name: _paths(name, count, frames, seed, device) for name in (*ACTIONS, action)}
    walked = torch.cat(list(paths.values()), dim=1)  # nothing may stand in any action's way
    generator = torch.Generator(device).manual_seed(seed)
    worlds = sample_worlds(walked, generator, events=False)
    c2w = paths[action]
    seen = torch.cat(
        [_render(worlds, c2w[:, i : i + longest], config) for i in range(0, frames, longest)], dim=1
    )
    prompts = [_prompt(place) for place, _ in worlds.attributes.places()]
    return Truth(seen.permute(0, 1, 3, 4, 2).cpu().numpy(), c2w.double().cpu().numpy(), prompts)


def _render(worlds: Worlds, c2w_BF44: Tensor, config: WorldConfig) -> Tensor:
    return render(worlds, c2w_BF44, config.height, config.width, focal=config.focal)


def _paths(action: str, count: int, frames: int, seed: int, device: str) -> Tensor:
    generator = torch.Generator(device).manual_seed(seed)
    if action == "random":
        return sample_paths(count, frames, generator, device)
    return scripted_paths(action, count, frames, generator, device)


def _prompt(place: Place) -> str:
    return caption(place, random.Random(0))
