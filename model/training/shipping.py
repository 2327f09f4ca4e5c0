"""A trained world as files: half-precision shards, the sizes they were made for, the tokenizer."""

import json
from collections.abc import Iterator
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, nn

from model.config import WorldConfig
from model.loading import network_sizes

SHARD_BYTES = 12_000_000


def save_network(network: nn.Module, folder: Path, name: str) -> None:
    """``name*.safetensors`` in float16, in shards small enough for any host."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}*.safetensors"):
        old.unlink()
    shards = list(_shards(network))
    for i, shard in enumerate(shards):
        part = "" if len(shards) == 1 else f"-{i + 1:05d}-of-{len(shards):05d}"
        save_file(shard, folder / f"{name}{part}.safetensors")


def save_config(config: WorldConfig, folder: Path) -> None:
    """What the weights were made for; checked when they are loaded."""
    text = json.dumps(network_sizes(config), indent=1)
    (folder / "config.json").write_text(text + "\n")


def _shards(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in network.state_dict().items():
        half = tensor.detach().half().cpu().contiguous().clone()
        if shard and size + 2 * half.numel() > SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = half
        size += 2 * half.numel()
    yield shard
