"""The pinhole lens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole lens in pixels, together with the size of the picture those pixels belong to.

    A camera point (x, y, z) lands at ``u = fx x / z + cx``, ``v = fy y / z + cy``. The picture's
    top left corner is (0, 0), so the centre of its first pixel is (0.5, 0.5).
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @classmethod
    def from_focal(cls, focal: float, width: int, height: int) -> "Intrinsics":
        """A centred lens with square pixels; ``focal`` is in units of the picture's width."""
        return cls(focal * width, focal * width, width / 2, height / 2, width, height)

    def resized(self, width: int, height: int) -> "Intrinsics":
        """The same lens on the same picture, resampled to ``width`` x ``height`` pixels."""
        across, along = width / self.width, height / self.height
        return Intrinsics(
            self.fx * across, self.fy * along, self.cx * across, self.cy * along, width, height
        )
