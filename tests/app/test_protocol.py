import contextlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadMessage
from app.messages import explain
from app.protocol import (
    Ack,
    FrameHeader,
    Hello,
    Input,
    Pause,
    Ping,
    Pong,
    Prompt,
    Reset,
    Resume,
    Start,
    Stop,
    UpMessage,
    decode,
    encode,
)

pytestmark = pytest.mark.cpu

MESSAGES = [
    Hello("ticket"),
    Start(scene="meadow", prompt="a path", seed=7),
    Start(image="abc"),
    Input(seq=3, keys=["KeyW", "KeyA"], at_ms=12.5, dx=-3.0, dy=4.5),
    Ack(frame=41, spare=2),
    Prompt("night"),
    Pause(),
    Resume(),
    Reset(),
    Stop(),
    Ping(at_ms=1.5),
]
BAD = [
    "",
    "{",
    "[]",
    "null",
    '{"type": "fly"}',
    '{"seq": 1}',
    '{"type": "input"}',
    '{"type": "input", "seq": -1, "keys": [], "at_ms": 0}',
    '{"type": "input", "seq": 1, "keys": "KeyW", "at_ms": 0}',
    '{"type": "input", "seq": 1, "keys": [], "at_ms": NaN}',
    '{"type": "input", "seq": 1, "keys": [], "at_ms": 0, "dx": 1e9}',
    '{"type": "ack", "frame": 4294967296}',
    '{"type": "prompt", "prompt": "' + "x" * 1001 + '"}',
    '{"type": "start", "scene": "meadow", "speed": 9}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_a_page_says_is_understood(message: UpMessage) -> None:
    text = msgspec.json.encode(message).decode()
    assert json.loads(text)["type"] == type(message).__name__.lower()
    assert decode(text) == message


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_makes_no_sense_is_refused_in_words(text: str | bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(text)
    assert caught.value.reason in explain(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_that(noise: bytes) -> None:
    with contextlib.suppress(BadMessage):
        assert isinstance(decode(noise), UpMessage)


def test_a_message_to_the_page_names_its_type() -> None:
    assert json.loads(encode(Pong(2.5))) == {"type": "pong", "at_ms": 2.5}


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 1e12),
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=12, max_size=12),
    st.binary(max_size=50),
)
def test_a_frame_keeps_its_header(
    number: int, at_ms: float, rows: list[float], jpeg: bytes
) -> None:
    c2w_44 = np.vstack([np.reshape(rows, (3, 4)), (0, 0, 0, 1)])
    sent = FrameHeader(number, 5, 9, at_ms, 1.5, 150.25, c2w_44)
    packed = sent.pack()
    assert len(packed) == 80
    header, picture = FrameHeader.unpack(packed + jpeg)
    assert picture == jpeg
    assert (header.number, header.chunk, header.input_seq) == (number, 5, 9)
    assert (header.input_at_ms, header.waited_ms, header.generated_ms) == (at_ms, 1.5, 150.25)
    np.testing.assert_array_equal(header.c2w_44, c2w_44)


@pytest.mark.parametrize("message", [b"", b"WLD1", b"WLD2" + bytes(90)])
def test_no_frame_without_its_header(message: bytes) -> None:
    with pytest.raises(BadMessage):
        FrameHeader.unpack(message)


def test_the_page_reads_the_header_where_it_is_written() -> None:
    c2w_44 = np.arange(16.0).reshape(4, 4)
    packed = FrameHeader(1, 2, 3, 4.0, 5.0, 6.0, c2w_44).pack()
    assert packed[:4] == b"WLD1"
    assert [int.from_bytes(packed[at : at + 4], "little") for at in (4, 8, 12)] == [1, 2, 3]
    assert np.frombuffer(packed, "<f8", 1, 16) == 4
    assert np.frombuffer(packed, "<f4", 14, 24).tolist() == [5, 6, *range(12)]
    script = Path("app/ui/frames.js").read_text()
    assert "getFloat64(16, true)" in script
    assert "getFloat32(32 + 16 * row + 4 * column, true)" in script
