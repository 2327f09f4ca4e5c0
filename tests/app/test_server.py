import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from served import Served, fail_to_load, served, until
from socket_player import SocketPlayer, joined
from standin import Behaviour, StandInEngine
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from app.errors import PortBusy
from app.messages import OUR_FAULT
from app.server import UPLOAD_MB, listen
from model import BadSetting, MissingWeights

pytestmark = pytest.mark.cpu


@pytest.fixture
def engine() -> StandInEngine:
    return StandInEngine()


@pytest.fixture
def server(engine: StandInEngine, tmp_path: Path) -> Iterator[Served]:
    with served(lambda: engine, tmp_path, players=2) as running:
        yield running


@pytest.fixture
def player(server: Served) -> Iterator[SocketPlayer]:
    with joined(server) as one:
        yield one


def height_of(jpeg: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(jpeg)).size


def test_a_first_frame_then_chunks_of_four_in_order(player: SocketPlayer) -> None:
    player.start()
    player.watch(13)
    assert [header.number for header in player.headers] == list(range(13))
    assert [header.chunk for header in player.headers] == [0, *[1] * 4, *[2] * 4, *[3] * 4]
    assert {height_of(jpeg) for jpeg in player.jpegs} == {(208, 128)}


def test_held_keys_move_the_camera_and_frames_say_which_input_they_hold(
    player: SocketPlayer,
) -> None:
    player.start()
    player.watch(5)
    player.say("input", seq=1, keys=["KeyW"], at_ms=1234.5)
    while player.headers[-1].input_seq != 1:
        player.watch(1)
    first = next(header for header in player.headers if header.input_seq == 1)
    before = player.headers[first.number - 1].c2w_44
    player.watch(3)
    after = player.headers[first.number + 3].c2w_44
    assert first.input_at_ms == 1234.5
    assert 0 <= first.waited_ms < 20_000
    assert after[2, 3] - before[2, 3] == pytest.approx(3.0 * 4 / 16, abs=1e-5)  # 3 m/s, 4 frames


def test_keys_are_let_go_when_the_page_falls_silent(player: SocketPlayer) -> None:
    player.start()
    player.watch(5)
    player.say("input", seq=1, keys=["KeyW"], at_ms=0)
    while player.headers[-1].input_seq != 1:
        player.watch(1)
    time.sleep(1.2)
    player.watch(12)
    assert player.headers[-1].c2w_44[2, 3] == player.headers[-4].c2w_44[2, 3]


def test_nothing_is_sent_beyond_the_credit(server: Served, player: SocketPlayer) -> None:
    player.polite = False
    player.start()
    assert player.silent_for(1.0) <= 4 + 2
    made = server.registry.metrics.counts["chunks_total"]
    assert player.silent_for(0.5) == 0
    assert server.registry.metrics.counts["chunks_total"] == made  # nor made
    player.say("ack", frame=player.headers[-1].number)
    player.watch(4)


def test_a_pause_stops_the_world_and_resume_goes_on_where_it_stood(player: SocketPlayer) -> None:
    player.start()
    player.watch(6)
    player.say("pause")
    player.hear("state", lambda message: message["state"] == "paused")
    player.silent_for(0.6)
    last = player.headers[-1]
    player.say("resume")
    player.say("ack", frame=last.number)
    player.polite = True
    player.watch(4)
    assert [header.number for header in player.headers] == list(range(len(player.headers)))


def test_a_reset_begins_the_same_world_again(engine: StandInEngine, player: SocketPlayer) -> None:
    player.start(seed=5)
    player.say("input", seq=1, keys=["KeyW"], at_ms=0)
    player.watch(9)
    player.say("reset")
    player.hear("state", lambda message: message["state"] == "stopped")
    player.headers.clear()
    player.watch(2)
    assert player.headers[0].number == 0
    np.testing.assert_array_equal(player.headers[0].c2w_44, np.eye(4))
    assert [rollout.closed for rollout in engine.rollouts] == [True, False]
    assert engine.rollouts[0]._scene is engine.rollouts[1]._scene


def test_a_prompt_takes_hold_from_the_chunk_that_its_receipt_names(player: SocketPlayer) -> None:
    player.start(prompt="day")
    player.watch(6)
    player.say("prompt", prompt="night")
    receipt = player.hear("receipt")
    while player.headers[-1].chunk < receipt["chunk"]:
        player.watch(1)
    last_day, first_night = (
        np.asarray(Image.open(io.BytesIO(player.jpegs[index]))).astype(int)
        for index, header in enumerate(player.headers)
        if header.chunk in (receipt["chunk"] - 1, receipt["chunk"])
        and header.number % 4 == (0 if header.chunk == receipt["chunk"] - 1 else 1)
    )
    assert receipt["of"] == "prompt"
    assert np.abs(last_day[:40] - first_night[:40]).mean() > 5


BAD = ["{", '{"type": "fly"}', '{"type": "hello", "ticket": "again"}', '{"type":"ack","frame":-1}']


@pytest.mark.parametrize("text", [*BAD, b"\x00\x01"])
def test_a_bad_message_is_answered_in_words_and_play_goes_on(
    player: SocketPlayer, text: str | bytes
) -> None:
    player.start()
    player.watch(3)
    player.say_raw(text)
    assert "did not understand" in player.hear("failed")["message"]
    player.watch(8)


@pytest.mark.parametrize("kind", ["pause", "resume", "reset", "prompt"])
def test_nothing_to_do_without_a_world_is_said(player: SocketPlayer, kind: str) -> None:
    player.say(kind, **({"prompt": "x"} if kind == "prompt" else {}))
    assert "Press Start" in player.hear("failed")["message"]


def test_an_unknown_scene_is_named(player: SocketPlayer) -> None:
    player.start(scene="atlantis")
    assert "atlantis" in player.hear("failed")["message"]


def test_a_ping_comes_back(player: SocketPlayer) -> None:
    player.say("ping", at_ms=77.25)
    assert player.hear("pong")["at_ms"] == 77.25


def test_two_players_walk_through_different_worlds(server: Served) -> None:
    with joined(server) as one, joined(server) as other:
        one.start()
        other.start(scene="dusk")
        one.say("input", seq=1, keys=["KeyW"], at_ms=0)
        other.say("input", seq=1, keys=["KeyA"], at_ms=0)
        for _ in range(12):
            one.watch(1)
            other.watch(1)
        assert one.headers[-1].c2w_44[2, 3] > 0 == one.headers[-1].c2w_44[0, 3]
        assert other.headers[-1].c2w_44[0, 3] < 0 == other.headers[-1].c2w_44[2, 3]


def test_one_too_many_is_told_and_gets_the_place_that_becomes_free(server: Served) -> None:
    with joined(server) as one, joined(server) as two, joined(server) as three:
        one.start()
        two.start()
        one.watch(1)
        two.watch(1)
        three.start()
        assert "All 2 places are taken" in three.hear("failed")["message"]
        one.say("stop")
        one.hear("state", lambda message: message["state"] == "stopped")
        three.start()
        three.watch(5)


def test_who_vanishes_in_the_middle_of_a_chunk_frees_the_place(tmp_path: Path) -> None:
    engine = StandInEngine(behaviour=Behaviour(chunk_seconds=0.3))
    with served(lambda: engine, tmp_path, players=1) as server:
        with joined(server) as one:
            one.start()
            one.watch(1)
            one.vanish()
            until(lambda: server.registry.players == 0)
        with joined(server) as next_one:
            next_one.start()
            next_one.watch(5)
        until(lambda: all(rollout.closed for rollout in engine.rollouts))


def test_the_fault_of_one_world_is_said_there_and_stops_no_other(tmp_path: Path) -> None:
    engine = StandInEngine(behaviour=Behaviour(fail_at_chunk=2, failing_prompt="doomed"))
    with served(lambda: engine, tmp_path) as server, joined(server) as one, joined(server) as other:
        other.start()
        one.start(prompt="doomed")
        assert one.hear("failed")["message"] == OUR_FAULT
        assert len(one.headers) == 5
        other.watch(12)
        one.start(prompt="fine")
        one.watch(12)
        assert server.registry.players == 2


def test_other_pages_may_not_open_a_socket(server: Served) -> None:
    socket = f"ws://{server.host}/world/ws"
    for origin in ("http://elsewhere.example", "null"):
        with pytest.raises(InvalidStatus) as caught, connect(socket, origin=Origin(origin)):
            pass
        assert caught.value.response.status_code == 403
    for path in ("ticket", "image"):
        headers = {"origin": "http://elsewhere.example"}
        assert httpx.post(f"{server.url}/world/{path}", headers=headers).status_code == 403
    with connect(socket, origin=Origin(server.url)):
        pass


def test_a_ticket_opens_one_socket(server: Served) -> None:
    ticket = server.ticket()
    with connect(f"ws://{server.host}/world/ws") as first:
        first.send(json.dumps({"type": "hello", "ticket": ticket}))
        assert json.loads(first.recv())["type"] in ("loading", "ready")
        for used in (ticket, "guess"):
            with connect(f"ws://{server.host}/world/ws") as second:
                second.send(json.dumps({"type": "hello", "ticket": used}))
                assert "ticket" in json.loads(second.recv())["message"]
                with pytest.raises(ConnectionClosed) as caught:
                    second.recv()
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == 1008


def test_a_huge_message_closes_the_socket(player: SocketPlayer) -> None:
    player.say("prompt", prompt="x" * 70_000)
    with pytest.raises(ConnectionClosed) as caught:
        player.hear("never")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


def test_a_picture_of_ones_own_begins_a_world(
    engine: StandInEngine, server: Served, player: SocketPlayer
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 30, 30)).save(file, "PNG")
    image = httpx.post(f"{server.url}/world/image", content=file.getvalue()).json()["image"]
    player.start(scene=None, image=image, prompt="all red")
    player.watch(1)
    first_frame = engine.rollouts[0]._scene.first_frame
    assert first_frame.shape == (128, 208, 3)
    assert np.all(first_frame == (200, 30, 30))


def test_what_is_no_picture_is_refused_in_words(server: Served) -> None:
    answer = httpx.post(f"{server.url}/world/image", content=b"no picture")
    assert answer.status_code == 422
    assert "cannot start a world" in answer.json()["error"]
    large = bytes(UPLOAD_MB * 1_000_000 + 1)
    answer = httpx.post(f"{server.url}/world/image", content=large, timeout=30)
    assert answer.status_code == 413
    assert "20 MB" in answer.json()["error"]


def test_health_layout_and_metrics_tell_what_goes_on(server: Served, player: SocketPlayer) -> None:
    player.start()
    player.watch(9)
    health = httpx.get(f"{server.url}/healthz")
    assert (health.status_code, health.json()["status"]) == (200, "ready")
    assert httpx.get(f"{server.url}/world/layout").json()["ranks"][0]["tokens"] == [0, 104]
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values["world_players"] == "1"
    assert values["world_ready"] == "1"
    assert int(values["world_frames_sent_total"]) >= 9
    assert int(values["world_chunks_total"]) >= 3
    assert float(values['world_chunk_seconds{stage="denoise",quantile="0.95"}']) >= 0
    judged = int(values["world_deadlines_met_total"]) + int(values["world_deadlines_missed_total"])
    assert judged >= 1


def test_the_server_answers_while_the_world_loads(tmp_path: Path) -> None:
    go: list[bool] = []

    def load() -> StandInEngine:
        until(lambda: bool(go))
        return StandInEngine()

    with served(load, tmp_path) as server:
        health = httpx.get(f"{server.url}/healthz")
        assert (health.status_code, health.json()) == (503, {"status": "loading", "progress": 0.0})
        assert httpx.get(f"{server.url}/world/layout").status_code == 503
        with connect(f"ws://{server.host}/world/ws") as socket:
            early = SocketPlayer(socket)
            early.say("hello", ticket=server.ticket())
            early.hear("loading")
            early.start()
            assert "still getting ready" in early.hear("failed")["message"]
            go.append(True)
            ready = early.hear("ready")
            assert (ready["width"], ready["height"], ready["fps"]) == (208, 128, 16)
            assert "KeyW" in ready["keys"]
            early.start()
            early.watch(2)


def test_a_world_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    failure = MissingWeights("small", Path("weights/dit.safetensors"))
    with served(fail_to_load(failure), tmp_path) as server:
        until(lambda: server.registry.failure is not None)
        health = httpx.get(f"{server.url}/healthz")
        assert health.status_code == 503
        assert "weights/dit.safetensors" in health.json()["error"]


def test_a_taken_port_is_known_before_anything_slow_is_done() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(PortBusy) as caught:
        listen("127.0.0.1", taken.getsockname()[1])
    assert caught.value.host == "127.0.0.1"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0), ("", -1)])
def test_where_nobody_can_listen_is_a_bad_setting(host: str, port: int) -> None:
    with pytest.raises(BadSetting):
        listen(host, port)


def test_without_the_page_gradio_is_not_imported(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
import httpx
from served import served
from standin import StandInEngine
with served(StandInEngine, Path(sys.argv[1])) as server:
    assert httpx.get(server.url).status_code == 404
    httpx.get(server.url + "/metrics").raise_for_status()
assert "gradio" not in sys.modules
assert "av" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
