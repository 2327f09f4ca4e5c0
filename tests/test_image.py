import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from model.errors import BadImage
from model.image import FORMATS, fit_image, read_image

pytestmark = pytest.mark.cpu


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces its size and holds no pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", size) + part(b"IDAT", b"") + part(b"IEND", b"")


def disc(width: int, height: int) -> Image.Image:
    """A white disc in the middle of a black picture."""
    image = Image.new("RGB", (width, height))
    radius = min(width, height) // 4
    ImageDraw.Draw(image).circle((width / 2, height / 2), radius, "white")
    return image


PHOTO = encoded(disc(300, 200), "JPEG")


@pytest.mark.parametrize("size", [(300, 900), (1600, 200), (512, 512)], ids=str)
@pytest.mark.parametrize("wanted", [(128, 208), (208, 128)], ids=str)
def test_a_circle_stays_a_circle(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    fitted = read_image(encoded(disc(*size), "PNG"), *wanted)
    assert fitted.shape == (*wanted, 3)
    assert fitted.dtype == np.uint8
    white = fitted[..., 0] > 127
    across, along = white.any(0).sum(), white.any(1).sum()
    assert abs(int(across) - int(along)) <= 2
    rows, columns = np.nonzero(white)
    assert abs(rows.mean() + 0.5 - wanted[0] / 2) < 1
    assert abs(columns.mean() + 0.5 - wanted[1] / 2) < 1


def test_a_file_and_its_bytes_are_the_same_picture(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    np.testing.assert_array_equal(
        read_image(tmp_path / "photo.jpg", 64, 96), read_image(PHOTO, 64, 96)
    )


def test_a_picture_that_fits_is_unchanged() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit_image(picture, 64, 96), picture)
    np.testing.assert_array_equal(
        read_image(encoded(Image.fromarray(picture), "PNG"), 64, 96), picture
    )


def test_shrinking_is_antialiased() -> None:
    checks = np.indices((512, 512)).sum(0) % 2 * 255
    fitted = fit_image(np.repeat(checks[..., None], 3, -1).astype(np.uint8), 64, 64)
    assert abs(fitted.astype(int) - 127).max() < 8, "fine checks must shrink to grey"


def test_a_photograph_taken_sideways_is_turned_upright() -> None:
    sideways = Image.new("RGB", (96, 64), "blue")
    sideways.paste("red", (0, 0, 48, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise: its left side comes up
    fitted = read_image(encoded(sideways, "PNG", exif=exif), 96, 64)
    assert (fitted[:40] == (255, 0, 0)).all()
    assert (fitted[56:] == (0, 0, 255)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    format = "JPEG" if mode == "CMYK" else "PNG"
    assert read_image(encoded(disc(64, 64).convert(mode), format), 32, 32).shape == (32, 32, 3)


def test_transparent_pixels_show_white_whatever_colour_hides_there() -> None:
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    assert (read_image(encoded(clear, "PNG"), 32, 32) == 255).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "none of", id="no-bytes"),
        pytest.param(b"hold W to walk", "none of", id="text"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", "none of", id="postscript"),
        pytest.param(png_header(8000, 6000), "megapixels", id="48-megapixels"),
        pytest.param(png_header(10_000, 10_000), "megapixels", id="100-megapixels"),
        pytest.param(png_header(60_000, 60_000), "megapixels", id="bomb"),
        pytest.param(png_header(64, 64), "broken", id="no-pixels"),
        pytest.param(PHOTO[: len(PHOTO) // 2], "broken", id="truncated-jpeg"),
        pytest.param(encoded(disc(64, 64), "PNG")[:90], "broken", id="truncated-png"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadImage) as refusal:
        read_image(data, 64, 64)
    assert reason in refusal.value.reason


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"gone\.png") as refusal:
        read_image(tmp_path / "gone.png", 64, 64)
    assert "gone.png" in refusal.value.reason


@pytest.mark.parametrize(
    "picture",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
    ids=["grey", "float", "empty"],
)
def test_arrays_that_are_no_picture_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(BadImage):
        fit_image(picture, 8, 8)


@settings(max_examples=50)
@given(st.data())
@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")  # Pillow's own words on broken EXIF
@pytest.mark.parametrize("format", FORMATS)
def test_damaged_bytes_give_a_picture_or_a_refusal(format: str, data: st.DataObject) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    options = {"exif": exif} if format in ("JPEG", "PNG", "WEBP") else {}
    damaged = bytearray(encoded(disc(24, 16), format, **options))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadImage):
        assert read_image(bytes(damaged), 8, 8).shape == (8, 8, 3)
