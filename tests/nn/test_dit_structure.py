"""The DiT class holds the official checkpoints: same tensor names, same shapes, nothing more."""

import json
from pathlib import Path

import pytest
import torch

from model.config import LINGBOT_1_3B, LINGBOT_14B, WORLDS, DiTConfig
from model.nn.dit import CausalDiT

pytestmark = pytest.mark.cpu
GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize(
    ("config", "file"),
    [(LINGBOT_14B, "dit_14b_tensors.json"), (LINGBOT_1_3B, "dit_1_3b_tensors.json")],
)
def test_names_and_shapes_are_the_official_ones(config: DiTConfig, file: str) -> None:
    official = {name: tuple(s) for name, s in json.loads((GOLDEN / file).read_text()).items()}
    with torch.device("meta"):
        ours = {name: tuple(t.shape) for name, t in CausalDiT(config).state_dict().items()}
    assert ours == official


def test_small_world_differs_by_sizes_only() -> None:
    with torch.device("meta"):
        small = set(CausalDiT(WORLDS["small"].dit).state_dict())
    official = set(json.loads((GOLDEN / "dit_14b_tensors.json").read_text()))
    layers = WORLDS["small"].dit.num_layers
    shared = {n for n in official if not n.startswith("blocks.") or int(n.split(".")[1]) < layers}
    assert small == shared
