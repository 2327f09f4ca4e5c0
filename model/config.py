"""What a set of weights is: frozen rows. Worlds differ by values here, never by a class."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeConfig:
    """Rotary positions of (time, row, column).

    ``absolute`` is the official policy: keys are rotated by their latent's index in the world and
    cached rotated. ``window`` caches keys unrotated and places them by their slot in the window,
    so a world of any length stays inside the positions seen in training.
    """

    policy: Literal["absolute", "window"] = "absolute"
    theta: float = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiTConfig:
    """Sizes of the causal video DiT (Wan 2.2 I2V with a camera injector in every block)."""

    dim: int
    ffn_dim: int
    num_heads: int
    num_layers: int
    text_dim: int
    text_len: int = 512
    in_dim: int = 36
    out_dim: int = 16
    control_dim: int = 6 * 64
    freq_dim: int = 256
    eps: float = 1e-6
    patch: int = 2
    rope: RopeConfig = RopeConfig()

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.num_heads


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerConfig:
    """Few-step (DMD) sampling: ``indices`` into a 1000-step flow schedule warped by ``shift``.

    ``prediction`` names what the network puts out: the flow's ``velocity`` (noise - x0, official)
    or the clean ``sample`` x0.
    """

    indices: tuple[int, ...]
    shift: float
    prediction: Literal["velocity", "sample"] = "velocity"
    keep_image: bool = False
    """Keep the start image's latent as it is, where the official sampler draws it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlimVAEConfig:
    """Widths of the slim causal VAE, finest scale first, and the decoder's residual blocks."""

    latent_dim: int = 16
    encoder_widths: tuple[int, int, int] = (32, 96, 128)
    decoder_widths: tuple[int, int, int] = (32, 64, 128)
    decoder_blocks: tuple[int, int, int] = (1, 2, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """Sizes of the UMT5 encoder (transformers' ``UMT5EncoderModel``)."""

    vocab_size: int
    dim: int
    ffn_dim: int
    num_heads: int
    head_dim: int
    num_layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConfig:
    """One world: its networks, how it is sampled, and the units its camera moves in.

    Lengths are in the world's own units (metres for ``small``), angles in degrees, rates per
    second. ``window`` counts latents and includes the ``sink`` and the current ``chunk``.
    ``focal`` is fx in units of the picture's width.
    """

    name: str
    title: str
    weights: str
    license: str
    dit: DiTConfig
    vae: SlimVAEConfig
    text: TextConfig
    sampler: SamplerConfig
    height: int
    width: int
    fps: int
    chunk: int
    window: int
    sink: int
    walk_speed: float
    turn_speed: float
    pitch_limit: float
    world_scale: float
    focal: float
    time_stride: int = 4
    space_stride: int = 8

    @property
    def latent_height(self) -> int:
        """Rows of a latent."""
        return self.height // self.space_stride

    @property
    def latent_width(self) -> int:
        """Columns of a latent."""
        return self.width // self.space_stride

    @property
    def tokens_per_latent(self) -> int:
        """DiT tokens of one latent."""
        return (self.latent_height // self.dit.patch) * (self.latent_width // self.dit.patch)

    @property
    def chunk_frames(self) -> int:
        """Video frames of every chunk but the first."""
        return self.chunk * self.time_stride

    @property
    def first_chunk_frames(self) -> int:
        """Video frames of the first chunk: its first latent is a single frame, the given image."""
        return (self.chunk - 1) * self.time_stride + 1


LINGBOT_14B = DiTConfig(dim=5120, ffn_dim=13824, num_heads=40, num_layers=40, text_dim=4096)
LINGBOT_1_3B = DiTConfig(dim=1536, ffn_dim=8960, num_heads=12, num_layers=30, text_dim=4096)

SMALL = WorldConfig(
    name="small",
    title="Small world: made here, plays on two CPU cores",
    weights="assets/small",
    license="that of this repository; trained on rendered pictures only",
    dit=DiTConfig(
        dim=256,
        ffn_dim=768,
        num_heads=4,
        num_layers=6,
        text_dim=192,
        text_len=32,
        rope=RopeConfig(policy="window", theta=100.0),
    ),
    vae=SlimVAEConfig(decoder_widths=(16, 48, 96)),
    text=TextConfig(vocab_size=1024, dim=192, ffn_dim=512, num_heads=4, head_dim=48, num_layers=3),
    sampler=SamplerConfig(indices=(0,), shift=3.0, prediction="sample", keep_image=True),
    height=128,
    width=208,
    fps=16,
    chunk=1,
    window=10,
    sink=1,
    walk_speed=3.0,
    turn_speed=45.0,
    pitch_limit=30.0,
    world_scale=0.75,
    focal=0.64,
)

WORLDS: dict[str, WorldConfig] = {world.name: world for world in (SMALL,)}
