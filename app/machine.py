"""What this machine is: the header of every measurement."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Machine:
    """Hardware and versions; ``gpu`` is empty without a CUDA device."""

    measured_at: str
    commit: str
    system: str
    cpu: str
    cores: int
    memory_gib: float
    gpu: str
    gpu_memory_gib: float
    python: str
    torch: str

    def __str__(self) -> str:
        gpu = f"{self.gpu}, {self.gpu_memory_gib:.0f} GiB; " if self.gpu else ""
        return (
            f"{gpu}{self.cores} cores of {self.cpu}, {self.memory_gib:.0f} GiB; {self.system}; "
            f"Python {self.python}, torch {self.torch}; commit {self.commit}; {self.measured_at}"
        )


def this_machine() -> Machine:
    """Look around."""
    gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
    return Machine(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        system=f"{platform.system()} {platform.release()}",
        cpu=_cpu(),
        cores=_cores(),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB,
        gpu=gpu.name if gpu else "",
        gpu_memory_gib=gpu.total_memory / GIB if gpu else 0.0,
        python=platform.python_version(),
        torch=str(torch.__version__),
    )


def _cores() -> int:
    """Cores this process may use, which a container makes fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _commit() -> str:
    """The short commit of this checkout, with + if files differ from it."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        answer = subprocess.run(git, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return answer.stdout.strip() or "unknown"
