"""How fast a world is here, chunk by chunk and stage by stage, and how fast it could be."""

import resource
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from app.machine import GIB, Machine, this_machine
from app.settings import Bench
from app.worlds import chosen_world
from model import RIGS, BadSetting, Engine, Motion, Scene, load

TOTAL = "total"
MATRIX_SIDE = {"cpu": 1024, "cuda": 8192}  # large enough to reach the device's full rate


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one stage over all measured chunks."""

    stage: str
    median_ms: float
    p90_ms: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """One measurement; ``fps`` is the median chunk's.

    The floor is what a chunk's matrix products, convolutions and attentions alone would take.
    """

    machine: Machine
    device: str
    world: str
    weights: str
    width: int
    height: int
    chunk: int
    window: int
    sink: int
    chunks: int
    stages: tuple[Timing, ...]
    fps: float
    wanted_fps: int
    play_time_share: float
    gflop_per_chunk: float
    matrix_gflop_per_second: float
    floor_ms: float
    floor_share: float
    memory_gib: float
    kv_mib: float

    def __str__(self) -> str:
        rows = [
            f"{timing.stage:<10}{timing.median_ms:>10.1f}{timing.p90_ms:>10.1f}"
            for timing in self.stages
        ]
        return "\n".join(
            [
                str(self.machine),
                f"world {self.world} on {self.device}, weights {self.weights}, "
                f"{self.width}x{self.height}, chunk {self.chunk}, window {self.window}, "
                f"sink {self.sink}, {self.chunks} chunks with the window full",
                f"{'stage':<10}{'median ms':>10}{'p90 ms':>10}",
                *rows,
                f"{self.fps:.1f} fps of {self.wanted_fps}: "
                f"a chunk takes {self.play_time_share:.0%} of the time it plays",
                f"floor {self.floor_ms:.1f} ms, {self.floor_share:.0%} of the median: "
                f"{self.gflop_per_chunk:.1f} GFLOP at {self.matrix_gflop_per_second:.0f} GFLOP/s",
                f"memory {self.memory_gib:.2f} GiB at most, keys and values {self.kv_mib:.1f} MiB",
            ]
        )


def bench(settings: Bench) -> BenchReport:
    """Load the world and measure it.

    Raises:
        WorldError: it cannot be loaded, or a setting cannot be used.
    """
    if settings.chunks < 1:
        raise BadSetting("chunks", settings.chunks, "measure at least 1")
    world = chosen_world(settings.world, settings)
    engine = load(world, device=settings.device, weights=settings.weights)
    try:
        return measure(engine, settings.chunks, settings.weights or world.weights)
    finally:
        engine.close()


def measure(engine: Engine, chunks: int, weights: str) -> BenchReport:
    """Walk until the window is full, then time so many chunks; ``weights`` is only reported."""
    for _ in engine.warm_up():
        pass
    walk = stroll(engine)
    world = engine.config
    for _ in range(world.window // world.chunk + 1):
        next(walk)
    laps = [next(walk) for _ in range(chunks)]
    layout = engine.layout()
    flop = count_flop(lambda: next(walk))
    walk.close()
    device = torch.device(layout.ranks[0].device)
    rate = matrix_rate(device)
    stages = tuple(timing(stage, [lap[stage] for lap in laps]) for stage in laps[0])
    total_ms = stages[-1].median_ms
    fps = 1000 * world.chunk_frames / total_ms
    floor_ms = 1000 * flop / rate
    return BenchReport(
        machine=this_machine(),
        device=str(device),
        world=world.name,
        weights=weights,
        width=world.width,
        height=world.height,
        chunk=world.chunk,
        window=world.window,
        sink=world.sink,
        chunks=chunks,
        stages=stages,
        fps=fps,
        wanted_fps=world.fps,
        play_time_share=world.fps / fps,
        gflop_per_chunk=flop / 1e9,
        matrix_gflop_per_second=rate / 1e9,
        floor_ms=floor_ms,
        floor_share=floor_ms / total_ms,
        memory_gib=peak_memory(device) / GIB,
        kv_mib=sum(rank.kv_bytes for rank in layout.ranks) / 2**20,
    )


def stroll(engine: Engine) -> Generator[dict[str, float], None, None]:
    """Walk in a circle for ever; yields each chunk's seconds by stage, the whole as ``total``."""
    world = engine.config
    rig = RIGS["fly"](world.walk_speed, world.turn_speed, world.pitch_limit)
    picture = np.full((world.height, world.width, 3), 127, np.uint8)
    rollout = engine.open(Scene(first_frame=picture, prompt="a walk", seed=0))
    given_144 = rig.pose[None]  # the picture's own pose opens the first chunk
    try:
        while True:
            frames = rollout.frames_needed - len(given_144)
            turning = [(frames / world.fps, Motion(forward=1, yaw=0.5))]
            c2w_F44 = np.concatenate([given_144, rig.path(turning, frames, world.fps)])
            given_144 = given_144[:0]
            start = time.perf_counter()
            for _ in rollout.step(c2w_F44):
                pass
            yield rollout.stage_seconds | {TOTAL: time.perf_counter() - start}
    finally:
        rollout.close()


def timing(stage: str, seconds: Sequence[float]) -> Timing:
    """Median and 90th percentile in milliseconds."""
    median, p90 = np.percentile(seconds, (50, 90)) * 1000
    return Timing(stage, float(median), float(p90))


def count_flop(run: Callable[[], object]) -> int:
    """Floating point operations of the matrix products, convolutions and attentions in a run."""
    # The counter knows every attention but the CPU's.
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={attention: _attention_flop}) as counter:
        run()
    return int(counter.get_total_flops())


def _attention_flop(
    query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object
) -> int:
    return int(sdpa_flop_count(query, key, value))


def matrix_rate(device: torch.device) -> float:
    """The best rate of a large float32 matrix product on the device, operations a second."""
    side = MATRIX_SIDE[device.type]
    factor = torch.rand(side, side, device=device)
    timer = Timer("a @ a", globals={"a": factor}, num_threads=torch.get_num_threads())
    return float(2 * side**3 / min(timer.blocked_autorange(min_run_time=0.3).times))


def peak_memory(device: torch.device) -> int:
    """The most bytes held so far: by tensors on a GPU, by this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
