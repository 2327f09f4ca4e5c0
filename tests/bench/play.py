"""Play a world in a real browser and measure what a player gets: `python -m tests.bench.play`.

A real server process, a real headless Chromium, both on this machine; W is held all the time and
the arrows turn left and right, each edge an action whose way to the screen is measured.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import tyro
from playwright.sync_api import Page, sync_playwright

from app.machine import this_machine
from tests.chromium import FLAGS, INSTALL, find_chromium

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("wait", "generate", "deliver", "paint")
TURNS = ((0.9, "ArrowLeft"), (0.7, "ArrowRight"), (1.1, "ArrowRight"), (0.8, "ArrowLeft"))


@dataclass(frozen=True)
class Options:
    """Measure what a player of the served world gets."""

    seconds: float = 60.0
    """How long to play."""
    world: str = "small"
    """Which world to serve."""
    weights: str | None = None
    """Folder of the weights, if not the world's own."""
    port: int = 7897
    """Where to serve it."""
    url: str | None = None
    """A server that already runs, instead of one of its own."""
    save: Path | None = None
    """File for the result, as JSON."""


def main(options: Options) -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit(INSTALL)
    with served(options) as url, sync_playwright() as playwright:
        wait_until_ready(url)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        page.wait_for_function("window.world?.stats().state === 'ready'", timeout=60_000)
        begin(page)
        before, started = counters(url), presented(page)
        slowest = play(page, options.seconds)
        stats, ended = page.evaluate("window.world.stats()"), presented(page)
        if stats["latency_ms"]["p50"] is None:
            sys.exit(f"no key reached the screen; the page says {stats}")
        sustained = 1000 * (ended[0] - started[0]) / (ended[1] - started[1])
        result = {"fps": sustained, "slowest_two_seconds_fps": slowest}
        result |= summary(stats, before, counters(url))
        browser.close()
    report(result, options)


@contextmanager
def served(options: Options) -> Iterator[str]:
    """The address of a server: the given one, or a process of our own until the block ends."""
    if options.url:
        yield options.url
        return
    flags = ["--world", options.world, "--port", str(options.port)]
    flags += ["--weights", options.weights] if options.weights else []
    server = subprocess.Popen([sys.executable, ROOT / "launch.py", "serve", *flags], cwd=ROOT)
    try:
        yield f"http://127.0.0.1:{options.port}"
    finally:
        server.terminate()
        server.wait(30)


def wait_until_ready(url: str, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/healthz").status_code == 200:
                return
        except httpx.ConnectError:
            pass  # not listening yet
        time.sleep(0.5)
    sys.exit(f"{url} was not ready within {seconds:.0f} s")


def begin(page: Page) -> None:
    """Start, and let it settle for 3 s."""
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function("window.world.stats().frames > 10", timeout=60_000)
    time.sleep(3)


def presented(page: Page) -> tuple[float, float]:
    """Frames shown so far, and the page's clock in ms."""
    frames, now = page.evaluate("[window.world.stats().frames, performance.now()]")
    return frames, now


def play(page: Page, seconds: float) -> float:
    """Walk and turn; the lowest frame rate of any two seconds that ended with a turn."""
    slowest = float("inf")
    end = time.monotonic() + seconds
    page.keyboard.down("w")
    while time.monotonic() < end:
        for pause, key in TURNS:
            page.keyboard.down(key)
            time.sleep(pause)
            page.keyboard.up(key)
            time.sleep(pause / 3)
            slowest = min(slowest, page.evaluate("window.world.stats().fps"))
    page.keyboard.up("w")
    return slowest


def counters(url: str) -> dict[str, float]:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name.removeprefix("world_"): float(value) for name, value in pairs}


def summary(stats: Any, before: dict[str, float], after: dict[str, float]) -> dict[str, Any]:
    def grown(name: str) -> float:
        return after[f"{name}_total"] - before[f"{name}_total"]

    def chunk_ms(quantile: str) -> float:
        return 1000 * after[f'chunk_seconds{{stage="total",quantile="{quantile}"}}']

    judged = grown("deadlines_met") + grown("deadlines_missed")
    return {
        "interval_stdev_ms": stats["interval_stdev_ms"],
        "key_to_photon_ms": stats["latency_ms"],
        "frames": stats["frames"],
        "chunks": grown("chunks"),
        "chunks_in_time": grown("deadlines_met") / judged if judged else None,
        "underruns": stats["underruns"],
        "spare_frames": stats["spare"],
        "frames_dropped": grown("frames_dropped"),
        "chunk_work_ms": {"p50": chunk_ms("0.5"), "p95": chunk_ms("0.95")},
    }


def report(result: dict[str, Any], options: Options) -> None:
    machine = this_machine()
    latency, work = result["key_to_photon_ms"], result["chunk_work_ms"]
    fps, slowest = result["fps"], result["slowest_two_seconds_fps"]
    stdev = result["interval_stdev_ms"]
    split = " + ".join(f"{name} {latency[name]:.0f}" for name in PARTS)
    rows = {
        "played": f"{options.world}, {options.seconds:.0f} s, {result['chunks']:.0f} chunks",
        "frames a second": f"{fps:.2f} sustained, {slowest:.2f} in the slowest two seconds",
        "between frames": f"standard deviation {stdev:.1f} ms",
        "key to photon": f"p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms",
        "its parts' medians": f"{split} ms",
        "chunks in time": f"{result['chunks_in_time']:.1%}, underruns {result['underruns']}",
        "work of a chunk": f"p50 {work['p50']:.0f} ms, p95 {work['p95']:.0f} ms",
    }
    print(machine)
    for name, value in rows.items():
        print(f"{name:<20}{value}")
    line = json.dumps({"machine": asdict(machine), "world": options.world, **result})
    if options.save:
        options.save.parent.mkdir(parents=True, exist_ok=True)
        options.save.write_text(line + "\n")
    print(line)


if __name__ == "__main__":
    main(tyro.cli(Options))
