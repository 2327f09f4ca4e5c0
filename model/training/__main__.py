"""Train and judge the small world: ``python -m model.training {vae,dit,evaluate,scenes} --help``.

Each command reads what is finished from ``--start`` and writes what it made to ``--out``, so a
world is trained in as many sittings as there is time for.
"""

import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro
from PIL import Image

from model.config import WORLDS, WorldConfig
from model.loading import check_config, load, read
from model.nn.dit import CausalDiT
from model.nn.text import TextEncoder, build_encoder
from model.nn.vae_slim import SlimVAE
from model.training import evaluate as judge
from model.training.captions import build_tokenizer, save_tokenizer
from model.training.clips import Clips, sample_clips
from model.training.dit import Recipe, Trainer, initialise
from model.training.pool import Pool
from model.training.scenes import write_scenes
from model.training.shipping import save_config, save_network
from model.training.vae import VAERecipe, train_vae

CLIP_FRAMES = 81
logger = logging.getLogger("training")


@dataclass(frozen=True)
class Vae:
    """Train the slim VAE."""

    out: Path
    start: Path | None = None
    """Folder of weights to go on from."""
    world: str = "small"
    recipe: VAERecipe = field(default_factory=VAERecipe)

    def run(self) -> None:
        """Train, then write ``vae.safetensors``."""
        config, device = WORLDS[self.world], best_device()
        generator = torch.Generator(device).manual_seed(self.recipe.seed)

        def sample(count: int, frames: int) -> torch.Tensor:
            return draw_clips(config, count, frames, generator).frames

        begun = read(config, self.start, "vae", lambda: SlimVAE(config.vae)) if self.start else None
        assert begun is None or isinstance(begun, SlimVAE)
        trained = train_vae(
            sample, config.vae, self.recipe, device=device, log=Log(self.out), vae=begun
        )
        save_network(trained.vae, self.out, "vae")


@dataclass(frozen=True)
class Dit:
    """Train the DiT and the text encoder on latents of a finished VAE."""

    out: Path
    start: Path
    """Folder with ``vae.safetensors``; a DiT found there is gone on with."""
    world: str = "small"
    fresh: bool = False
    """Begin anew whatever is found."""
    seed: int = 1
    recipe: Recipe = field(default_factory=Recipe)

    def run(self) -> None:
        """Train, then write the whole folder a world is loaded from."""
        config, device = WORLDS[self.world], best_device()
        torch.manual_seed(self.seed)
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        self.out.mkdir(parents=True, exist_ok=True)
        vae = read(config, self.start, "vae", lambda: SlimVAE(config.vae)).to(device).eval()
        assert isinstance(vae, SlimVAE)
        vae.requires_grad_(False)
        dit, encoder = self._networks(config)
        text = TextEncoder(encoder.to(device), self.out, config.dit.text_len)
        trainer = Trainer(config, dit.to(device), text, vae.latent_std.square(), self.recipe)
        generator = torch.Generator(device).manual_seed(self.seed)

        def sample(count: int) -> Clips:
            return draw_clips(config, count, CLIP_FRAMES, generator)

        pool = Pool(config, vae, text.tokens, sample)
        pool.fill(self.recipe.pool)
        trainer.run(pool, Log(self.out))
        save_network(dit, self.out, "dit")
        save_network(encoder, self.out, "text_encoder")
        save_network(vae, self.out, "vae")
        save_config(config, self.out)

    def _networks(self, config: WorldConfig) -> tuple[CausalDiT, torch.nn.Module]:
        """The DiT and text encoder to train, and their tokenizer in ``out``."""
        if self.fresh or not list(self.start.glob("dit*.safetensors")):
            save_tokenizer(build_tokenizer(config.text.vocab_size), self.out)
            dit = CausalDiT(config.dit)
            initialise(dit)
            return dit, build_encoder(config.text)
        check_config(config, self.start)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            if self.start != self.out:
                shutil.copy(self.start / name, self.out / name)
        begun = read(config, self.start, "dit", lambda: CausalDiT(config.dit))
        assert isinstance(begun, CausalDiT)
        encoder = read(config, self.start, "text_encoder", lambda: build_encoder(config.text))
        return begun, encoder


@dataclass(frozen=True)
class Evaluate:
    """Judge a world against the renderer on held-out seeds; writes a report and a contact sheet."""

    out: Path
    weights: Path | None = None
    world: str = "small"
    worlds: int = 24

    def run(self) -> None:
        """Play held-out worlds and compare."""
        device = str(best_device())
        engine = load(self.world, device=device, weights=self.weights)
        play, config = judge.engine_play(engine), engine.config
        self.out.mkdir(parents=True, exist_ok=True)
        report = {
            "world": config.name,
            "obedience": judge.obedience(play, config, self.worlds, device),
            "accuracy": judge.accuracy(play, config, self.worlds, device),
            "drift": judge.drift(play, config, self.worlds, device),
        }
        sheet = judge.contact_sheet(play, config, 6, device)
        Image.fromarray(sheet).save(self.out / "sheet.jpg", quality=88)
        text = json.dumps(report, indent=1)
        (self.out / "evaluation.json").write_text(text + "\n")
        logger.info("%s", text)


@dataclass(frozen=True)
class Scenes:
    """Render the gallery's start pictures."""

    out: Path
    world: str = "small"

    def run(self) -> None:
        """Write pictures and ``scenes.json``."""
        config = WORLDS[self.world]
        write_scenes(self.out, config.height, config.width)


class Log:
    """Rows of numbers, one JSON object a line, to the folder's log and to the console."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"

    def __call__(self, row: dict[str, float]) -> None:
        """Write one row."""
        line = json.dumps(row)
        with self.path.open("a") as file:
            file.write(line + "\n")
        logger.info("%s", line)


def draw_clips(config: WorldConfig, count: int, frames: int, generator: torch.Generator) -> Clips:
    """Fresh clips at a world's size."""
    return sample_clips(
        count,
        frames,
        generator,
        height=config.height,
        width=config.width,
        focal=config.focal,
    )


def best_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    tyro.cli(Vae | Dit | Evaluate | Scenes).run()
