"""Counts and times of the whole server, as Prometheus reads them."""

import math
from collections import Counter, defaultdict, deque

QUANTILES = (0.5, 0.9, 0.95, 0.99)
SAMPLES_KEPT = 500

HELP = {
    "chunks_total": ("counter", "Chunks generated."),
    "frames_sent_total": ("counter", "Frames sent to players."),
    "frames_dropped_total": ("counter", "Frames dropped because a player was slow."),
    "deadlines_met_total": ("counter", "Chunks that came before the page ran out of frames."),
    "deadlines_missed_total": ("counter", "Chunks that came after the page ran out of frames."),
    "players": ("gauge", "Players with an open world."),
    "ready": ("gauge", "1 when the engine is warm."),
}


class Metrics:
    """Counters by name, and the last chunks' seconds by stage."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._seconds: defaultdict[str, deque[float]] = defaultdict(
            lambda: deque(maxlen=SAMPLES_KEPT)
        )
        self._seconds_total: defaultdict[str, float] = defaultdict(float)
        self._seconds_count: Counter[str] = Counter()

    def time_chunk(self, stage_seconds: dict[str, float]) -> None:
        """Count one chunk and how long its stages took."""
        self.counts["chunks_total"] += 1
        for stage, seconds in stage_seconds.items():
            self._seconds[stage].append(seconds)
            self._seconds_total[stage] += seconds
            self._seconds_count[stage] += 1

    def render(self, gauges: dict[str, int]) -> str:
        """The text exposition format, version 0.0.4, of the counters and of ``gauges``."""
        lines: list[str] = []
        for name, (kind, words) in HELP.items():
            count = gauges[name] if kind == "gauge" else self.counts[name]
            lines += [f"# HELP world_{name} {words}", f"# TYPE world_{name} {kind}"]
            lines += [f"world_{name} {count}"]
        name = "world_chunk_seconds"
        lines += [f"# HELP {name} Seconds of a chunk by stage.", f"# TYPE {name} summary"]
        for stage, values in self._seconds.items():
            ordered = sorted(values)
            for quantile in QUANTILES:
                value = ordered[math.ceil(quantile * len(ordered)) - 1]
                lines.append(f'{name}{{stage="{stage}",quantile="{quantile}"}} {value:.6f}')
            lines.append(f'{name}_sum{{stage="{stage}"}} {self._seconds_total[stage]:.6f}')
            lines.append(f'{name}_count{{stage="{stage}"}} {self._seconds_count[stage]}')
        return "\n".join(lines) + "\n"
