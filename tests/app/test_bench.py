import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from standin import StandInEngine
from torch.nn import functional

from app.bench import count_flop, measure, stroll
from model import WORLDS

pytestmark = pytest.mark.cpu

TINY = replace(WORLDS["small"], height=16, width=32, window=3, chunk=2)


def test_every_stage_of_every_chunk_is_in_the_report() -> None:
    engine = StandInEngine(TINY)
    report = measure(engine, chunks=4, weights="random")
    assert [timing.stage for timing in report.stages] == ["denoise", "commit", "total"]
    for timing in report.stages:
        assert 0 <= timing.median_ms <= timing.p90_ms
    assert report.fps * report.play_time_share == pytest.approx(report.wanted_fps)
    assert report.gflop_per_chunk == 0, "the stand-in multiplies no matrices"
    assert report.matrix_gflop_per_second > 0
    assert all(rollout.closed for rollout in engine.rollouts)
    shown = str(report)
    assert "32x16" in shown
    assert all(timing.stage in shown for timing in report.stages)
    assert json.loads(msgspec.json.encode(report))["machine"]["cores"] >= 1


def test_the_window_is_full_before_anything_is_measured() -> None:
    engine = StandInEngine(TINY)
    measure(engine, chunks=4, weights="random")
    assert engine.rollouts[-1].chunks == (3 // 2 + 1) + 4 + 1  # filling, measured, counted


def test_the_camera_moves_in_every_chunk() -> None:
    pictures = []

    class Watched(StandInEngine):
        def open(self, scene):
            rollout = super().open(scene)
            step = rollout.step

            def watch(c2w_F44):
                pictures.append(c2w_F44)
                yield from step(c2w_F44)

            rollout.step = watch
            return rollout

    walk = stroll(Watched(TINY))
    for _ in range(5):
        next(walk)
    walk.close()
    path_F44 = np.concatenate(pictures)
    assert len(path_F44) == TINY.first_chunk_frames + 4 * TINY.chunk_frames
    np.testing.assert_array_equal(path_F44[0], np.eye(4))
    strides = np.linalg.norm(np.diff(path_F44[:, :3, 3], axis=0), axis=1)
    np.testing.assert_allclose(strides, TINY.walk_speed / TINY.fps, rtol=1e-3)


def test_operations_of_products_and_attention_are_counted() -> None:
    a, b = torch.rand(3, 5), torch.rand(5, 7)
    q, kv = torch.rand(1, 2, 4, 8), torch.rand(1, 2, 6, 8)
    with torch.inference_mode():
        assert count_flop(lambda: a @ b) == 2 * 3 * 5 * 7
        attention = count_flop(lambda: functional.scaled_dot_product_attention(q, kv, kv))
    assert attention == 2 * (2 * 2 * 4 * 6 * 8)
