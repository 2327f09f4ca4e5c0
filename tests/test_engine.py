"""The engine and its rollouts: what a player is promised, on a tiny untrained world."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model import (
    WORLDS,
    BadImage,
    BadPoses,
    BadSetting,
    BadWeights,
    Engine,
    FlyRig,
    Frames,
    MissingWeights,
    Motion,
    Poses,
    Rollout,
    RolloutClosed,
    Scene,
    UnknownWorld,
    WorldConfig,
    load,
)

pytestmark = pytest.mark.cpu
ROOT = Path(__file__).resolve().parent.parent
SMALL = WORLDS["small"]


def tiny(**changes: object) -> WorldConfig:
    dit = replace(SMALL.dit, dim=48, ffn_dim=64, num_layers=2)
    config = replace(SMALL, dit=dit, height=32, width=48, window=5)
    return replace(config, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=[1, 3], ids=["chunk 1", "chunk 3"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    steps = replace(SMALL.sampler, indices=(0, 500))
    world = tiny(chunk=request.param, window=7, sink=2, sampler=steps)
    engine = load(world, device="cpu", weights="random")
    yield engine
    engine.close()


def scene(engine: Engine, seed: int = 3, prompt: str = "a meadow") -> Scene:
    shape = (engine.config.height, engine.config.width, 3)
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Scene(first_frame=picture, prompt=prompt, seed=seed)


def walk(rollout: Rollout, rig: FlyRig, chunks: int) -> list[Frames]:
    """Walk and turn; each chunk's frames in one array."""
    shown = []
    for _ in range(chunks):
        seconds = rollout.frames_needed / SMALL.fps
        poses = rig.path([(seconds, Motion(forward=1, yaw=0.5))], rollout.frames_needed, SMALL.fps)
        shown.append(np.concatenate(list(rollout.step(poses))))
    return shown


def fly() -> FlyRig:
    return FlyRig(SMALL.walk_speed, SMALL.turn_speed, SMALL.pitch_limit)


def same(a: list[Frames], b: list[Frames]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_frames_come_latent_by_latent_at_the_worlds_size(engine: Engine) -> None:
    config, rollout, rig = engine.config, engine.open(scene(engine)), fly()
    for chunk in range(3):
        needed = rollout.frames_needed
        assert needed == 4 * config.chunk - (3 if chunk == 0 else 0)
        poses = rig.path([(1.0, Motion(forward=1))], needed, config.fps)
        parts = list(rollout.step(poses))
        assert [len(p) for p in parts] == [1 if chunk == 0 else 4] + [4] * (config.chunk - 1)
        assert all(p.shape[1:] == (config.height, config.width, 3) for p in parts)
        assert all(p.dtype == np.uint8 for p in parts)


def test_same_seed_and_poses_give_the_same_bits(engine: Engine) -> None:
    first = walk(engine.open(scene(engine)), fly(), 5)
    again = walk(engine.open(scene(engine)), fly(), 5)
    other = walk(engine.open(scene(engine, seed=4)), fly(), 5)
    assert same(first, again)
    assert not same(first[1:], other[1:])


def test_poses_and_prompt_reach_the_picture(engine: Engine) -> None:
    def one(yaw: float, prompt: str) -> Frames:
        rollout = engine.open(scene(engine, prompt=prompt))
        walk(rollout, fly(), 1)
        rig, needed = fly(), rollout.frames_needed
        return np.concatenate(list(rollout.step(rig.path([(1.0, Motion(yaw=yaw))], needed, 16))))

    base = one(1.0, "a meadow")
    assert np.array_equal(base, one(1.0, "a meadow"))
    assert not np.array_equal(base, one(-1.0, "a meadow"))
    assert not np.array_equal(base, one(1.0, "a city at night"))


def test_players_taking_turns_do_not_disturb_each_other(engine: Engine) -> None:
    alone = walk(engine.open(scene(engine)), fly(), 4)
    mine, other = engine.open(scene(engine)), engine.open(scene(engine, seed=9))
    my_rig, other_rig, shown = fly(), fly(), []
    for _ in range(4):
        shown += walk(mine, my_rig, 1)
        walk(other, other_rig, 1)
    assert same(alone, shown)


def test_a_reader_who_leaves_mid_chunk_changes_nothing(engine: Engine) -> None:
    whole = walk(engine.open(scene(engine)), fly(), 4)
    rollout, rig = engine.open(scene(engine)), fly()
    walk(rollout, rig, 1)
    poses = rig.path([(1.0, Motion(forward=1, yaw=0.5))], rollout.frames_needed, SMALL.fps)
    frames = rollout.step(poses)
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert same(walk(rollout, rig, 2), whole[2:])


@pytest.mark.parametrize("chunks", [0, 1, 5])
def test_a_restored_world_goes_on_bit_for_bit(engine: Engine, chunks: int) -> None:
    rollout, rig = engine.open(scene(engine)), fly()
    walk(rollout, rig, chunks)
    if chunks == 5:
        rollout.set_prompt("night falls")
        walk(rollout, rig, 1)
    saved, state = rollout.snapshot(), rig.snapshot()
    assert saved.latents.dtype == np.float16
    expected = walk(rollout, rig, 3)
    rig.restore(state)
    assert same(walk(engine.restore(saved), rig, 3), expected)


def test_rewinding_leads_back_to_the_same_frames(engine: Engine) -> None:
    rollout, rig = engine.open(scene(engine)), fly()
    walk(rollout, rig, 3)
    state = rig.snapshot()
    first = walk(rollout, rig, 4)
    rollout.rewind(4)
    rig.restore(state)
    assert same(walk(rollout, rig, 4), first)
    rollout.rewind(1000)
    assert len(rollout.snapshot().prompts) == 0


def test_bad_poses_are_refused_and_lose_nothing(engine: Engine) -> None:
    whole = walk(engine.open(scene(engine)), fly(), 3)
    rollout, rig = engine.open(scene(engine)), fly()
    walk(rollout, rig, 1)
    good: Poses = np.tile(np.eye(4), (rollout.frames_needed, 1, 1))
    nan, sheared = good.copy(), good.copy()
    nan[0, 0, 3] = np.nan
    sheared[0, 0, 1] = 0.5
    for bad in (nan, sheared, good[:-1], good[0]):
        with pytest.raises(BadPoses):
            next(rollout.step(bad))
    assert same(walk(rollout, rig, 2), whole[1:])


def test_a_first_frame_of_another_size_is_refused(engine: Engine) -> None:
    with pytest.raises(BadImage, match="takes"):
        engine.open(Scene(first_frame=np.zeros((8, 8, 3), np.uint8), prompt="", seed=0))


def test_a_closed_rollout_says_so(engine: Engine) -> None:
    rollout = engine.open(scene(engine))
    rollout.close()
    with pytest.raises(RolloutClosed):
        next(rollout.step(np.eye(4)[None]))


def test_warm_up_tells_its_progress_and_layout_describes_the_work(engine: Engine) -> None:
    progress = list(engine.warm_up())
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    rollout = engine.open(scene(engine))
    walk(rollout, fly(), 3)
    layout = engine.layout()
    (rank,) = layout.ranks
    config = engine.config
    per_latent = config.tokens_per_latent
    assert rank.tokens == (0, config.chunk * per_latent)
    bytes_of_window = 2 * config.dit.num_layers * config.window * per_latent * config.dit.dim * 4
    assert rank.kv_bytes >= bytes_of_window
    assert rank.conditioner_hits >= rank.conditioner_misses > 0
    assert set(rank.stage_ms) == {"camera", "denoise", "decode", "commit"}


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownWorld) as unknown:
        load("atlantis")
    assert unknown.value.name == "atlantis"
    assert "small" in unknown.value.known
    with pytest.raises(MissingWeights) as missing:
        load("small", weights=tmp_path)
    assert missing.value.path.parent == tmp_path
    with pytest.raises(BadWeights) as bad:
        load(tiny(), weights=None, device="cpu")
    assert any("dit" in problem for problem in bad.value.problems)
    weights = ROOT / SMALL.weights
    for file in (*weights.glob("*.json"), *weights.glob("*.safetensors")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    cut = tmp_path / "vae.safetensors"
    cut.write_bytes(cut.read_bytes()[:100_000])
    with pytest.raises(BadWeights) as damaged:
        load("small", weights=tmp_path, device="cpu")
    assert any("vae.safetensors is damaged" in problem for problem in damaged.value.problems)
    if not torch.cuda.is_available():
        with pytest.raises(BadSetting):
            load("small", device="cuda")
