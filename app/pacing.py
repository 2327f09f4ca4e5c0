"""When to begin the next chunk: late enough to see the newest keys, early enough not to stall."""

import math
from collections import deque

LEADS_KEPT = 50


class Pacer:
    """Engine credit: a chunk is due when the frames not yet shown just cover its making.

    Its lead is measured from the moment it was due until its first frames were there, so it holds
    the wait for other players' turns too. Running ahead of that only adds delay.

    Args:
        fps: frames a second of the world.
        limit: frames beyond which no reserve goes.
    """

    def __init__(self, fps: int, limit: int) -> None:
        self._fps = fps
        self._limit = limit
        self._leads: deque[float] = deque(maxlen=LEADS_KEPT)
        self.spare = 0  # frames that the page asks for on top, after it ran dry

    def record(self, lead: float) -> None:
        """A chunk's first frames were there ``lead`` seconds after it was due."""
        self._leads.append(lead)

    @property
    def reserve(self) -> int:
        """Frames not yet shown at which the next chunk is due: ceil(p95 lead x fps) and spare."""
        if not self._leads:
            return 0
        leads = sorted(self._leads)
        p95 = leads[math.ceil(0.95 * len(leads)) - 1]
        return min(math.ceil(p95 * self._fps) + self.spare, self._limit)
