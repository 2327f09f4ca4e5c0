import json
from collections.abc import Iterator

import httpx
import pytest
from served import Served, served
from standin import StandInEngine

from model import WORLDS

pytestmark = pytest.mark.cpu


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(StandInEngine, tmp_path_factory.mktemp("scenes"), page=True) as running:
        yield running


def test_the_page_the_socket_and_the_reports_share_one_server(server: Served) -> None:
    assert "First light" in httpx.get(server.url).text
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    assert httpx.get(f"{server.url}/metrics").text.startswith("# HELP")
    assert server.ticket()


def test_scripts_styles_and_pictures_are_served(server: Served) -> None:
    config = httpx.get(f"{server.url}/config").json()
    (path,) = {
        part.split('"')[0]
        for part in json.dumps(config).replace('\\"', '"').split('"')
        if part.startswith("world/static") and part.endswith("player.js")
    }
    for name in ("player.js", "clock.js", "player.css"):
        answer = httpx.get(f"{server.url}/{path.replace('player.js', name)}")
        assert answer.status_code == 200
    assert httpx.get(f"{server.url}/world/scenes/meadow.png").headers["content-type"] == "image/png"


def test_programs_can_ask_for_the_worlds_by_name(server: Served) -> None:
    call = f"{server.url}/gradio_api/call/worlds"
    event = httpx.post(call, json={"data": []}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=20).text
    (worlds,) = json.loads(answer.split("data: ", 1)[1].splitlines()[0])
    assert {world["name"] for world in worlds} == set(WORLDS)
