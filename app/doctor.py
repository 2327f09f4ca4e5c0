"""What this machine can play, how fast, what is missing, and the remedy."""

import hashlib
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from app.bench import TOTAL, stroll
from app.catalogue import ROOT, card_checksums, weights_of
from app.machine import Machine, this_machine
from model import WORLDS, WorldConfig, load

QUICK_WORLD = "small"
QUICK_SECONDS = 2.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``remedy`` is empty where nothing is missing."""

    name: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """All findings; ``fps`` is None where the small world cannot be run."""

    machine: Machine
    findings: tuple[Finding, ...]
    fps: float | None

    def __str__(self) -> str:
        lines = [str(self.machine)]
        for finding in self.findings:
            lines.append(f"{'!!' if finding.remedy else 'ok'} {finding.name:<14}{finding.found}")
            if finding.remedy:
                lines.append(f"{'':17}-> {finding.remedy}")
        return "\n".join(lines)


def examine() -> Checkup:
    """Look at everything once; takes a few seconds."""
    machine = this_machine()
    worlds = {name: weights(world) for name, world in WORLDS.items()}
    fps = None if worlds[QUICK_WORLD].remedy else quick_fps()
    findings = (packages(), device(machine), browser(), *worlds.values(), speed(fps))
    return Checkup(machine, findings, fps)


def packages() -> Finding:
    """Whether everything in requirements.txt is installed as it is asked for there."""
    wrong = list(unmet(ROOT / "requirements.txt"))
    if not wrong:
        return Finding("packages", "all of requirements.txt")
    remedy = f"{sys.executable} -m pip install -r requirements.txt"
    return Finding("packages", ", ".join(wrong), remedy)


def unmet(requirements: Path) -> Iterator[str]:
    """The requirements of a file that this Python does not meet, each with what is there."""
    for line in requirements.read_text().splitlines():
        wanted = line.partition("#")[0].strip()
        if not wanted:
            continue
        requirement = Requirement(wanted)
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement.name} is {installed}, not {requirement.specifier}"


def device(machine: Machine) -> Finding:
    """Where worlds will run."""
    if machine.gpu:
        return Finding("device", f"cuda: {machine.gpu}, {machine.gpu_memory_gib:.0f} GiB")
    return Finding("device", f"cpu: {machine.cores} cores, enough for the small world")


def browser() -> Finding:
    """Whether the browser tests find a Chromium to drive."""
    path = find_chromium()
    if path:
        return Finding("browser", path)
    remedy = "apt-get install chromium (only the browser tests need it)"
    return Finding("browser", "no Chromium on the PATH", remedy)


def find_chromium() -> str | None:
    """The first Chromium on the PATH."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def weights(world: WorldConfig) -> Finding:
    """Whether a world's weights are here and are those that its card describes."""
    name, folder = f"world {world.name}", ROOT / world.weights
    checksums = card_checksums(world)
    missing = sorted(set(checksums) - {path.name for path in folder.glob("*")})
    if missing or not weights_of(world):
        lost = ", ".join(missing) or "*.safetensors"
        return Finding(name, f"{lost} not in {folder}", f"restore it: git checkout {world.weights}")
    changed = [file for file, expected in checksums.items() if sha256(folder / file) != expected]
    if changed:
        found = f"{', '.join(changed)}: not the SHA-256 of CARD.md"
        return Finding(name, found, f"restore it: git checkout {world.weights}")
    return Finding(name, f"{len(checksums)} files with the SHA-256 of CARD.md")


def sha256(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def quick_fps() -> float:
    """Frames a second of the small world, measured for about two seconds after warm-up."""
    engine = load(QUICK_WORLD)
    try:
        for _ in engine.warm_up():
            pass
        walk = stroll(engine)
        next(walk)  # shorter: it begins with the given picture
        laps: list[float] = []
        start = time.perf_counter()
        while time.perf_counter() - start < QUICK_SECONDS:
            laps.append(next(walk)[TOTAL])
        walk.close()
        return engine.config.chunk_frames / statistics.median(laps)
    finally:
        engine.close()


def speed(fps: float | None) -> Finding:
    """The measured speed against the world's own."""
    wanted = WORLDS[QUICK_WORLD].fps
    if fps is None:
        return Finding("speed", "not measured without the small world's weights")
    found = f"{fps:.1f} fps in the small world, which plays at {wanted}"
    if fps >= wanted:
        return Finding("speed", found)
    slower = "it will play in slow motion; free the cores or play smaller: --height 96 --width 160"
    return Finding("speed", found, slower)
