"""The one door: from a world's name to an engine ready to play it."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from model.config import WORLDS, WorldConfig
from model.engine import Engine
from model.errors import BadSetting, BadWeights, MissingWeights, UnknownWorld
from model.local import LocalEngine, Networks
from model.nn.dit import CausalDiT
from model.nn.text import TextEncoder, build_encoder
from model.nn.vae_slim import SlimVAE

RANDOM = "random"
THREADS = max(1, (os.cpu_count() or 2) // 2)
"""On CPUs, half the cores for each of the two threads that work on a chunk (see ``Networks``)."""
_ROOT = Path(__file__).resolve().parent.parent


def load(
    world: str | WorldConfig,
    *,
    device: str = "auto",
    weights: str | Path | None = None,
) -> Engine:
    """Load a world's networks.

    Args:
        world: a name of ``WORLDS`` or a row of one's own.
        device: ``cpu``, ``cuda``, or ``auto`` for the best there is.
        weights: a folder instead of the world's own; ``"random"`` plays noise at full speed.

    Raises:
        UnknownWorld, MissingWeights, BadWeights, BadSetting.
    """
    config = find_world(world)
    on = find_device(device)
    folder = weights_folder(config) if weights in (None, RANDOM) else Path(str(weights))
    if not (folder / "tokenizer.json").is_file():
        raise MissingWeights(config.name, folder / "tokenizer.json")
    networks: dict[str, Callable[[], nn.Module]] = {
        "dit": lambda: CausalDiT(config.dit),
        "vae": lambda: SlimVAE(config.vae),
        "text_encoder": lambda: build_encoder(config.text),
    }
    if weights != RANDOM:
        check_config(config, folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = {
            name: build() if weights == RANDOM else read(config, folder, name, build)
            for name, build in networks.items()
        }
    if on.type == "cpu":
        torch.set_num_threads(THREADS)
    for network in built.values():
        network.eval().requires_grad_(False).to(on)
    text = TextEncoder(built["text_encoder"], folder, config.dit.text_len)
    dit, vae = built["dit"], built["vae"]
    assert isinstance(dit, CausalDiT)
    assert isinstance(vae, SlimVAE)
    return LocalEngine(config, Networks(dit, vae, text, on, new_committer(on)))


def new_committer(device: torch.device) -> ThreadPoolExecutor:
    """The thread that commits chunks; it splits sums as the caller's does, so results are equal."""
    if device.type != "cpu":
        return ThreadPoolExecutor(1, "commit")
    return ThreadPoolExecutor(1, "commit", torch.set_num_threads, (THREADS,))


def find_world(world: str | WorldConfig) -> WorldConfig:
    """The row of a name, or UnknownWorld with the names there are."""
    if isinstance(world, WorldConfig):
        return world
    if world not in WORLDS:
        raise UnknownWorld(world, tuple(WORLDS))
    return WORLDS[world]


def find_device(device: str) -> torch.device:
    """``auto`` becomes a GPU where there is one; asking for an absent one is BadSetting."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise BadSetting("device", device, "no CUDA device is visible here: use cpu or auto")
    return torch.device(device)


def weights_folder(config: WorldConfig) -> Path:
    """Where a world's own weights lie."""
    return _ROOT / config.weights


def check_config(config: WorldConfig, folder: Path) -> None:
    """BadWeights if the folder's ``config.json`` was written for networks of other sizes."""
    path = folder / "config.json"
    if not path.is_file():
        raise MissingWeights(config.name, path)
    saved: dict[str, Any] = json.loads(path.read_text())
    wanted: dict[str, Any] = json.loads(json.dumps(network_sizes(config)))
    problems = tuple(
        f"{name}.{key} is {found.get(key)} in the weights, {value} in the world"
        for name in ("dit", "vae", "text", "sampler")
        for found in (saved.get(name, {}),)
        for key, value in wanted[name].items()
        if found.get(key) != value
    )
    if problems:
        raise BadWeights(config.name, problems)


def network_sizes(config: WorldConfig) -> dict[str, Any]:
    """What of a row the weights depend on."""
    sizes = {name: asdict(getattr(config, name)) for name in ("dit", "vae", "text")}
    return sizes | {"sampler": {"prediction": config.sampler.prediction}}


def read(config: WorldConfig, folder: Path, name: str, build: Callable[[], nn.Module]) -> nn.Module:
    """One network from ``name*.safetensors``, strict: each misfit is named."""
    files = sorted(folder.glob(f"{name}*.safetensors"))
    if not files:
        raise MissingWeights(config.name, folder / f"{name}.safetensors")
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= {key: value.float() for key, value in load_file(file).items()}
        except SafetensorError as error:
            raise BadWeights(config.name, (f"{file.name} is damaged ({error})",)) from error
    with torch.device("meta"):
        network = build()
    problems = misfits(network.state_dict(), tensors)
    if problems:
        raise BadWeights(config.name, problems)
    network.load_state_dict(tensors, assign=True)
    return network


def misfits(wanted: dict[str, Tensor], found: dict[str, Tensor]) -> tuple[str, ...]:
    """Every tensor that is missing, unexpected or of another shape, by name."""
    missing = [f"{name} is missing" for name in wanted if name not in found]
    unexpected = [f"{name} is unexpected" for name in found if name not in wanted]
    shapes = [
        f"{name} is {list(found[name].shape)}, not {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    return (*missing, *unexpected, *shapes)
