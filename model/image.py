"""Pictures from outside become a world's first frame."""

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import BadImage

MAX_PIXELS = 40_000_000
"""Larger pictures are refused by their header: decoded they would cost gigabytes."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""What is read; a parser that is not listed cannot be reached by an upload."""


def read_image(source: Path | bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Read a picture file, or its bytes, as RGB ``[height, width, 3]``.

    It is turned upright by its EXIF tag, laid on white where it is transparent, and fitted as
    ``fit_image`` does.

    Raises:
        BadImage: missing, not a picture, empty, over 40 megapixels (both known before any pixel
            is decoded), or broken.
    """
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, "r", FORMATS
        ) as file:
            _check_size(file)
            upright = ImageOps.exif_transpose(file)
            if upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            return _cover(upright.convert("RGB"), height, width)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(_too_large()) from error
    except FileNotFoundError as error:
        raise BadImage(f"there is no file {source!s}") from error
    except UnidentifiedImageError as error:
        raise BadImage(f"it is none of {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise BadImage(f"it is broken: {error}") from error


def fit_image(picture_HW3: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Fit RGB ``[H, W, 3]`` to ``[height, width, 3]`` without changing its aspect.

    It is resized (bicubic, antialiased) to cover the new size and what sticks out is cropped
    evenly on both sides, so a circle stays a circle. A picture that fits already is unchanged.

    Raises:
        BadImage: not uint8 ``[H, W, 3]``, or empty.
    """
    if picture_HW3.dtype != np.uint8 or picture_HW3.ndim != 3 or picture_HW3.shape[2] != 3:
        raise BadImage(f"it is {picture_HW3.dtype} {picture_HW3.shape}, not uint8 [H, W, 3]")
    if picture_HW3.size == 0:
        raise BadImage("it has no pixels")
    return _cover(Image.fromarray(picture_HW3), height, width)


def _check_size(file: Image.Image) -> None:
    if file.width * file.height == 0:
        raise BadImage("it has no pixels")
    if file.width * file.height > MAX_PIXELS:
        raise BadImage(_too_large())


def _too_large() -> str:
    return f"it has more than {MAX_PIXELS // 1_000_000} megapixels"


def _cover(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    fitted = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    return np.array(fitted, dtype=np.uint8)
