"""The whole life of a world in miniature: train VAE and DiT, resume, load, judge."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from model import WORLDS, Scene, load
from model.training import __main__ as commands
from model.training import evaluate as judge
from model.training.dit import Recipe
from model.training.vae import VAERecipe

pytestmark = pytest.mark.cpu
SMALL = WORLDS["small"]
TINY = replace(
    SMALL,
    name="tiny",
    height=32,
    width=48,
    dit=replace(SMALL.dit, dim=32, ffn_dim=32, num_layers=2),
    vae=replace(SMALL.vae, encoder_widths=(8, 8, 8), decoder_widths=(8, 8, 8)),
)


def test_trained_saved_resumed_and_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORLDS, "tiny", TINY)
    monkeypatch.setattr(commands, "CLIP_FRAMES", 13)
    monkeypatch.setattr(commands, "best_device", lambda: torch.device("cpu"))
    vae, first, second = (tmp_path / name for name in ("vae", "first", "second"))
    short = VAERecipe(
        max_steps=2,
        pool=2,
        refresh=2,
        batch=2,
        frames=9,
        held_out=2,
        held_out_frames=9,
        seconds=1e9,
    )
    commands.Vae(out=vae, world="tiny", recipe=short).run()
    brief = Recipe(
        pool=2,
        batch=2,
        max_steps=3,
        seconds=1e9,
        refresh_every=2,
        refresh=1,
        log_every=1,
        own_context_from=0.3,
        learning_rate=1e-2,
    )
    commands.Dit(out=first, start=vae, world="tiny", recipe=brief).run()
    commands.Dit(out=second, start=first, world="tiny", recipe=brief).run()

    before, after = (load_file(folder / "dit.safetensors") for folder in (first, second))
    assert before.keys() == after.keys()
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    log = (first / "log.jsonl").read_text().splitlines()
    steps = [json.loads(line).get("step") for line in log]
    assert 3 in steps

    engine = load("tiny", device="cpu", weights=second)
    picture = np.full((32, 48, 3), 90, np.uint8)
    rollout = engine.open(Scene(first_frame=picture, prompt="a meadow", seed=0))
    (frames,) = rollout.step(np.eye(4)[None])
    assert frames.shape == (1, 32, 48, 3)


def test_judging_tells_a_perfect_player_from_a_frozen_one() -> None:
    truths = {a: judge._truth(TINY, a, 1, 25, "cpu") for a in judge.ACTIONS}
    known = {truth.poses_BF44[0].tobytes(): truth.frames_BFHW3[0] for truth in truths.values()}

    def perfect(first, poses, prompt):  # type: ignore[no-untyped-def]
        return known[poses.tobytes()]

    def frozen(first, poses, prompt):  # type: ignore[no-untyped-def]
        return np.repeat(first[None], len(poses), axis=0)

    best = judge.obedience(perfect, TINY, 1, "cpu")
    worst = judge.obedience(frozen, TINY, 1, "cpu")
    assert best["frame_24"]["both"] == 1.0  # type: ignore[index]
    assert worst["frame_24"]["both"] == 0.0  # type: ignore[index]
    assert best["frame_12"]["psnr_db"] > 60  # type: ignore[index]
