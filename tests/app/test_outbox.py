import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outbox import CHUNKS_KEPT, Frame, Outbox
from app.pacing import Pacer
from app.protocol import FrameHeader

pytestmark = pytest.mark.cpu

CHUNK = 4


def frame(number: int) -> Frame:
    return Frame(FrameHeader(number, number // CHUNK, 0, 0.0, 0.0, 0.0, np.eye(4)), b"")


def drain(outbox: Outbox) -> list[int]:
    taken = []
    while one := outbox.take():
        taken.append(one.header.number)
    return taken


def test_frames_come_in_order_as_far_as_credit_goes() -> None:
    outbox = Outbox(credit=6)
    for number in range(8):
        outbox.put(frame(number))
    assert drain(outbox) == [0, 1, 2, 3, 4, 5]
    assert drain(outbox) == []
    outbox.acknowledge(0)
    assert drain(outbox) == [6]
    outbox.credit = 7
    assert drain(outbox) == [7]


def test_a_page_that_acknowledges_nothing_loses_whole_old_chunks() -> None:
    outbox = Outbox(credit=0)
    for number in range(5 * CHUNK):
        outbox.put(frame(number))
    assert outbox.dropped == 3 * CHUNK
    outbox.credit = 100
    assert drain(outbox) == list(range(3 * CHUNK, 5 * CHUNK))


def test_what_was_never_sent_cannot_be_acknowledged() -> None:
    outbox = Outbox(credit=2)
    for number in range(8):
        outbox.put(frame(number))
    outbox.acknowledge(4_000_000_000)
    assert outbox.shown == -1
    assert drain(outbox) == [0, 1]


@given(st.lists(st.sampled_from(["put", "take", "ack"]), max_size=200), st.integers(1, 12))
def test_bounded_in_order_and_within_credit_whatever_happens(
    events: list[str], credit: int
) -> None:
    outbox = Outbox(credit)
    made, sent = 0, []
    for event in events:
        if event == "put":
            outbox.put(frame(made))
            made += 1
        elif event == "take" and (one := outbox.take()):
            sent.append(one.header.number)
            assert sent[-1] - max(outbox.shown, -1) <= credit + outbox.dropped
        elif event == "ack" and sent:
            outbox.acknowledge(sent[-1])
        assert made - len(sent) - outbox.dropped <= CHUNKS_KEPT * CHUNK
    assert sent == sorted(set(sent))


def test_the_reserve_covers_nearly_all_chunks() -> None:
    pacer = Pacer(fps=16, limit=8)
    assert pacer.reserve == 0
    for _ in range(19):
        pacer.record(0.15)
    assert pacer.reserve == 3  # 150 ms are 2.4 frames
    pacer.record(0.3)
    assert pacer.reserve == 3  # one late chunk in twenty is let be
    pacer.record(0.3)
    assert pacer.reserve == 5
    pacer.spare = 2
    assert pacer.reserve == 7
    pacer.spare = 9
    assert pacer.reserve == 8
