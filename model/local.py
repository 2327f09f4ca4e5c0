"""The engine in this process: a world's networks, and the loop from poses to frames.

Legend: B batch, C channels, F frames or latents, h w latent rows and columns.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor

from model.camera.intrinsics import Intrinsics
from model.camera.pose import Poses, check_poses, frame_deltas
from model.camera.rays import camera_embedding, plucker_rays
from model.config import WorldConfig
from model.engine import Frames, Layout, RankLayout, Scene, Snapshot
from model.errors import BadImage, BadPoses, RolloutClosed
from model.nn.conditioner import ConditionerCache
from model.nn.dit import CausalDiT, Context, TextKeys
from model.nn.kv_cache import KVCache
from model.nn.rope import world_rope
from model.nn.text import TextEncoder
from model.nn.vae import CausalVAE, VAEState
from model.parallel.mesh import SequenceMesh
from model.sampling import Step, chunk_noise, denoise_chunk, schedule


@dataclass(frozen=True, eq=False)
class Networks:
    """A world's networks on their device."""

    dit: CausalDiT
    vae: CausalVAE
    text: TextEncoder
    device: torch.device
    committer: ThreadPoolExecutor
    """One thread beside the caller's: a chunk is decoded and committed at the same time."""


class LocalRollout:
    """One player's world: its committed latents and what is rebuilt from them."""

    def __init__(self, config: WorldConfig, networks: Networks, scene: Scene) -> None:
        size = (config.height, config.width, 3)
        if scene.first_frame.shape != size or scene.first_frame.dtype != np.uint8:
            raise BadImage(f"it is {scene.first_frame.shape}, this world takes {size} uint8")
        self._config, self._net, self._scene = config, networks, scene
        lens = scene.intrinsics or Intrinsics.from_focal(config.focal, config.width, config.height)
        self._lens = lens.resized(config.width, config.height)
        self._steps = schedule(config.sampler)
        self._kv = new_cache(config)
        self._conditioner = ConditionerCache()
        self.is_open = True
        self.stage_seconds: dict[str, float] = {}
        with torch.inference_mode():
            self._image = networks.vae.encode(to_pixels(scene.first_frame, networks.device))[0]
        self._begin()
        self.set_prompt(scene.prompt)

    def _begin(self) -> None:
        self._latents: list[Tensor] = []
        self._c2w: list[Poses] = []
        self._prompts: list[str] = []
        self._vae_state: VAEState | None = None
        self._kv.clear()

    @property
    def frames_needed(self) -> int:
        """How many poses the next ``step`` takes."""
        return self._config.chunk_frames if self._latents else self._config.first_chunk_frames

    def step(self, c2w_F44: Poses) -> Iterator[Frames]:
        """Poses to frames: the whole product in one method (see ``Rollout.step``)."""
        self._check_open()
        poses_F44 = self._latent_poses(c2w_F44)
        with self._stage("camera"):
            context = self._look(poses_F44)
        with self._stage("denoise"):
            latents = self._denoise(context)
        committed = self._net.committer.submit(self._commit, latents, context)
        undecoded = iter(latents.split(1, dim=2))
        self.stage_seconds["decode"] = 0.0
        try:
            for latent in undecoded:
                yield self._decode(latent)
        finally:
            for latent in undecoded:  # the reader has gone, the world goes on
                self._decode(latent)
            committed.result()
            self._latents.append(latents.half().cpu())
            self._c2w.append(poses_F44)
            self._prompts.append(self._prompt)

    def set_prompt(self, prompt: str) -> None:
        """From the next chunk on, this prompt."""
        self._check_open()
        self._prompt = prompt
        self._text = self._text_keys(prompt)

    def snapshot(self) -> Snapshot:
        """The world as of the last whole chunk."""
        self._check_open()
        shape = (0, self._config.vae.latent_dim, *self._latent_size)
        latents = [np.moveaxis(latent[0].numpy(), 1, 0) for latent in self._latents]
        stacked = np.concatenate([np.zeros(shape, np.float16), *latents])
        poses = np.concatenate([np.zeros((0, 4, 4)), *self._c2w])
        return Snapshot(self._scene, np.moveaxis(stacked, 0, 1), poses, tuple(self._prompts))

    def rewind(self, chunks: int) -> None:
        """Go back by so many chunks, at most to the beginning."""
        now = self.snapshot()
        kept = max(0, len(now.prompts) - chunks)
        latents = kept * self._config.chunk
        self.replay(
            Snapshot(now.scene, now.latents[:, :latents], now.c2w[:latents], now.prompts[:kept])
        )

    def replay(self, snapshot: Snapshot) -> None:
        """Commit and decode the snapshot's latents again: exact, since nothing else is state."""
        self._begin()
        prompt, chunk = self._prompt, self._config.chunk
        for i, self._prompt in enumerate(snapshot.prompts):
            own = slice(i * chunk, (i + 1) * chunk)
            if i == 0 or snapshot.prompts[i - 1] != self._prompt:
                self._text = self._text_keys(self._prompt)
            latents = torch.from_numpy(snapshot.latents[None, :, own].astype(np.float32))
            on_device = latents.to(self._net.device)
            for latent in on_device.split(1, dim=2):
                self._decode(latent)
            self._commit(on_device, self._look(snapshot.c2w[own]))
            self._latents.append(latents.half())
            self._c2w.append(snapshot.c2w[own])
            self._prompts.append(self._prompt)
        self.set_prompt(snapshot.prompts[-1] if snapshot.prompts else prompt)

    def close(self) -> None:
        """Let go of the memory."""
        self.is_open = False
        self._begin()
        self._kv = new_cache(self._config)
        self._conditioner.clear()

    def layout(self) -> RankLayout:
        """This rank's part in the last chunk."""
        return RankLayout(
            rank=0,
            device=str(self._net.device),
            tokens=(0, self._config.chunk * self._config.tokens_per_latent),
            heads=self._config.dit.num_heads,
            kv_bytes=self._kv.bytes,
            conditioner_hits=self._conditioner.hits,
            conditioner_misses=self._conditioner.misses,
            stage_ms={name: 1e3 * seconds for name, seconds in self.stage_seconds.items()},
        )

    @property
    def _latent_size(self) -> tuple[int, int]:
        return self._config.latent_height, self._config.latent_width

    def _check_open(self) -> None:
        if not self.is_open:
            raise RolloutClosed

    def _latent_poses(self, c2w_F44: Poses) -> Poses:
        """Latent i takes the pose of video frame 4i, the last of the frames it holds."""
        poses = check_poses(c2w_F44)
        if poses.shape != (self.frames_needed, 4, 4):
            raise BadPoses(f"this chunk takes {self.frames_needed} poses, not {poses.shape}")
        return poses[
            (0 if not self._latents else self._config.time_stride - 1) :: self._config.time_stride
        ]

    @torch.inference_mode()
    def _look(self, poses_F44: Poses) -> Context:
        """All that the passes over the next chunk share."""
        previous = self._c2w[-1][-1] if self._c2w else None
        deltas = frame_deltas(poses_F44, previous, self._config.world_scale)
        rays = plucker_rays(deltas, self._lens, self._net.device)
        camera = camera_embedding(rays[None], self._config.space_stride)
        return Context(
            self._condition(), self._text, camera, self._kv, self._conditioner, SequenceMesh()
        )

    def _condition(self) -> Tensor:
        """Mask (4) and image latent (16) of the chunk: the image at latent 0, zero elsewhere."""
        size = (self._config.chunk, *self._latent_size)
        condition = self._image.new_zeros(1, 4 + self._config.vae.latent_dim, *size)
        if not self._latents:
            condition[:, :4, 0] = 1
            condition[:, 4:, :1] = self._image
        return condition

    @torch.inference_mode()
    def _denoise(self, context: Context) -> Tensor:
        chunk, seed = len(self._latents), self._scene.seed
        shape = (1, self._config.vae.latent_dim, self._config.chunk, *self._latent_size)
        device, sampler = self._net.device, self._config.sampler

        def fresh(step: int) -> Tensor:
            return chunk_noise(seed, chunk, step, shape).to(device)

        def velocity(x: Tensor, step: Step) -> Tensor:
            timestep = torch.tensor([step.timestep], device=device)
            predicted: Tensor = self._net.dit(x, timestep, context)
            return predicted if sampler.prediction == "velocity" else (x - predicted) / step.sigma

        given = self._image if sampler.keep_image and chunk == 0 else None
        # Rounded before it is committed, so that a snapshot of half the size is still exact.
        return denoise_chunk(velocity, fresh(0), self._steps, fresh, given).half().float()

    @torch.inference_mode()
    def _decode(self, latent_BCFhw: Tensor) -> Frames:
        with self._stage("decode"):
            pixels, self._vae_state = self._net.vae.decode(latent_BCFhw, self._vae_state)
            frames = pixels[0].clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
            return frames.permute(1, 2, 3, 0).contiguous().cpu().numpy()

    @torch.inference_mode()
    def _commit(self, latents_BCFhw: Tensor, context: Context) -> None:
        """The clean chunk, shown once more at timestep 0, becomes the past."""
        with self._stage("commit"):
            start = torch.zeros(1, device=latents_BCFhw.device)
            self._net.dit.write_keys(latents_BCFhw, start, context)
            self._kv.seal()
            self._conditioner.clear()

    @torch.inference_mode()
    def _text_keys(self, prompt: str) -> TextKeys:
        return self._net.dit.text_keys(self._net.text.encode(prompt, self._net.device))

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        before = self.stage_seconds.get(name, 0.0) if name == "decode" else 0.0
        self.stage_seconds[name] = before + time.perf_counter() - start


class LocalEngine:
    """One world's networks in this process."""

    def __init__(self, config: WorldConfig, networks: Networks) -> None:
        self.config = config
        self._networks = networks
        self._rollouts: WeakSet[LocalRollout] = WeakSet()
        self._last: RankLayout | None = None

    def open(self, scene: Scene) -> LocalRollout:
        """Begin a world."""
        rollout = LocalRollout(self.config, self._networks, scene)
        self._rollouts.add(rollout)
        return rollout

    def restore(self, snapshot: Snapshot) -> LocalRollout:
        """Go on with a world exactly where the snapshot was taken."""
        rollout = self.open(snapshot.scene)
        rollout.replay(snapshot)
        return rollout

    def warm_up(self) -> Iterator[float]:
        """Walk until the window is full and slides, the camera moving, the prompt changing."""
        config = self.config
        grey = np.full((config.height, config.width, 3), 127, np.uint8)
        rollout = self.open(Scene(first_frame=grey, prompt="", seed=0))
        chunks = config.window // config.chunk + 2
        pose = np.eye(4)
        for i in range(chunks):
            poses = np.tile(pose, (rollout.frames_needed, 1, 1))
            poses[:, 2, 3] += 0.25 * config.world_scale * np.arange(1, len(poses) + 1)
            for _ in rollout.step(poses):
                pass
            pose = poses[-1]
            if i == chunks // 2:
                rollout.set_prompt("a walk")
            yield (i + 1) / chunks
        rollout.close()

    def layout(self) -> Layout:
        """Who does what, and how long the last chunk took."""
        open_now = [rollout.layout() for rollout in self._rollouts if rollout.is_open]
        busiest = max(open_now, key=lambda rank: sum(rank.stage_ms.values()), default=None)
        return Layout(
            world=self.config.name,
            window=self.config.window,
            sink=self.config.sink,
            chunk=self.config.chunk,
            rollouts=len(open_now),
            ranks=() if busiest is None else (busiest,),
        )

    def close(self) -> None:
        """Let go of the rollouts."""
        for rollout in list(self._rollouts):
            rollout.close()
        self._networks.committer.shutdown()


def new_cache(config: WorldConfig) -> KVCache:
    """An empty window for one rollout of a world."""
    return KVCache(
        world_rope(config),
        layers=config.dit.num_layers,
        chunk=config.chunk,
        window=config.window,
        sink=config.sink,
        sliding_sink=config.dit.rope.policy == "window",
    )


def to_pixels(frame: np.ndarray, device: torch.device) -> Tensor:
    """A uint8 picture ``[H, W, 3]`` as one video frame ``[1, 3, 1, H, W]`` in [-1, 1]."""
    pixels = torch.from_numpy(frame.copy()).to(device).permute(2, 0, 1)[None, :, None]
    return pixels.float() / 127.5 - 1
