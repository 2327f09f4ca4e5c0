"""The DiT, its cache and the sampler against the official modules' outputs (window 7, sink 2)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_world import play, tiny_cache, tiny_dit

from model.config import SamplerConfig
from model.nn.conditioner import ConditionerCache
from model.sampling import schedule

pytestmark = pytest.mark.cpu
GOLDEN = Path(__file__).parent.parent / "golden"


def test_four_chunks_match_the_official_modules_through_the_window_overflow() -> None:
    golden = np.load(GOLDEN / "dit_causal_w7_s2_c3.npz")
    chunks = play(tiny_dit(), tiny_cache(), ConditionerCache())
    for c, played in enumerate(chunks):
        for i, flow in enumerate(played.flows):
            assert np.abs(flow[0].numpy() - golden[f"flow_{c}_{i}"]).max() <= 1e-4
        assert np.abs(played.x0[0].numpy() - golden[f"x0_{c}"]).max() <= 1e-4
        local_end = golden[f"idx_{c}"][1]
        assert played.keys.shape[1] == local_end
        assert np.abs(played.keys.numpy() - golden[f"kv0_k_{c}"][:, :local_end]).max() <= 1e-4


@pytest.mark.parametrize("name", ["v1_shift10", "v2_shift10", "v1_shift5", "v2_shift5"])
def test_schedule_keeps_the_official_rule_for_doubled_timesteps(name: str) -> None:
    golden = json.loads((GOLDEN / "scheduler.json").read_text())[name]
    steps = schedule(SamplerConfig(indices=tuple(golden["index"]), shift=golden["shift"]))
    assert [step.timestep for step in steps] == golden["timesteps"]
    np.testing.assert_allclose([s.sigma for s in steps], golden["sigma_x0"], atol=1e-7)
    renoise = [s.renoise_sigma for s in steps[1:]]
    np.testing.assert_allclose(renoise, golden["sigma_renoise"], atol=1e-7)


def test_inference_mode_changes_nothing() -> None:
    outside = [played.x0 for played in play(tiny_dit(), tiny_cache(), ConditionerCache())]
    with torch.inference_mode():
        inside = [played.x0 for played in play(tiny_dit(), tiny_cache(), ConditionerCache())]
    assert all(torch.equal(a, b) for a, b in zip(outside, inside, strict=True))
