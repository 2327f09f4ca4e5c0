import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from served import Served, served
from standin import StandInEngine

from model import load

pytestmark = pytest.mark.browser

Open = Callable[[Served], Page]
PIXELS = """() => { const canvas = document.querySelector("#world");
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d", {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    return [...context.getImageData(0, 0, copy.width, copy.height).data]; }"""


def stats(page: Page) -> Any:
    return page.evaluate("window.world.stats()")


def pixels(page: Page) -> np.ndarray[Any, Any]:
    return np.array(page.evaluate(PIXELS)).reshape(128, 208, 4)[..., :3].astype(int)


def position(page: Page) -> tuple[float, float]:
    """Right and forward of the start, in metres."""
    pose = stats(page)["pose"]
    return pose[0][3], pose[2][3]


def heading(page: Page) -> float:
    """Degrees to the right of the start's view."""
    pose = stats(page)["pose"]
    return math.degrees(math.atan2(pose[0][2], pose[2][2]))


def wait_frames(page: Page, more: int) -> None:
    frames = stats(page)["frames"]
    page.wait_for_function(f"window.world.stats().frames >= {frames + more}")


def start(page: Page) -> None:
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function("window.world.stats().frames > 4")


def hold(page: Page, *keys: str, frames: int = 24) -> None:
    for key in keys:
        page.keyboard.down(key)
    wait_frames(page, frames)
    for key in keys:
        page.keyboard.up(key)


def test_before_the_start_the_stage_shows_where_it_begins(page: Page) -> None:
    page.wait_for_function("window.world.preview !== undefined")
    page.wait_for_timeout(200)
    red, green, blue = pixels(page).mean(axis=(0, 1))
    assert green > red > blue  # the meadow
    page.get_by_role("radio", name="Dusk").check(force=True)
    page.wait_for_function(f"({PIXELS})()[0] > ({PIXELS})()[1]")
    expect(page.get_by_label("Prompt")).to_have_value("a dusk")


def test_holding_w_walks_forward_and_the_picture_moves(page: Page) -> None:
    start(page)
    before, still = position(page), pixels(page)
    hold(page, "w")
    after = position(page)
    assert after[1] > before[1] + 0.5
    assert after[0] == before[0]
    assert np.abs(pixels(page) - still).mean() > 1
    numbers = stats(page)
    assert numbers["state"] == "playing"
    assert numbers["latency_ms"]["last"] > 0
    split = [numbers["latency_ms"][part] for part in ("wait", "generate", "deliver", "paint")]
    assert all(part is not None for part in split)
    assert numbers["transport"] == "websocket"


def test_standing_still_shows_the_same_picture(page: Page) -> None:
    start(page)
    wait_frames(page, 4)
    before = pixels(page)
    wait_frames(page, 8)
    assert np.array_equal(before, pixels(page))


def test_two_keys_at_once_walk_and_turn(page: Page) -> None:
    start(page)
    hold(page, "w", "ArrowRight")
    assert position(page)[1] > 0.5
    assert heading(page) > 10


def test_a_short_tap_moves_a_little(page: Page) -> None:
    start(page)
    page.keyboard.press("w", delay=60)
    wait_frames(page, 10)
    assert 0.1 < position(page)[1] < 1.6  # 60 ms are 0.18 m; a whole chunk if it was being sampled


def test_keys_are_shown_while_they_are_held(page: Page) -> None:
    start(page)
    cap = page.get_by_role("button", name="Walk forward")
    page.keyboard.down("w")
    expect(cap).to_have_class("held")
    page.keyboard.up("w")
    expect(cap).not_to_have_class("held")


def test_a_button_on_the_screen_walks_too(page: Page) -> None:
    start(page)
    page.get_by_role("button", name="Walk left").hover()
    page.mouse.down()
    wait_frames(page, 10)
    page.mouse.up()
    assert position(page)[0] < -0.3


def test_words_typed_into_the_prompt_move_nothing(page: Page) -> None:
    start(page)
    page.keyboard.down("w")
    wait_frames(page, 6)
    page.get_by_label("Prompt").click()  # lets W go, though it is still down
    wait_frames(page, 10)
    before = position(page)
    page.keyboard.up("w")
    page.get_by_label("Prompt").fill("")
    page.keyboard.type("wasd wasd")
    wait_frames(page, 10)
    assert position(page) == before
    expect(page.get_by_label("Prompt")).to_have_value("wasd wasd")


def test_enter_in_the_prompt_changes_the_world(page: Page) -> None:
    start(page)
    wait_frames(page, 4)
    sky = pixels(page)[:30].mean(axis=(0, 1))
    page.get_by_label("Prompt").fill("a snowstorm at night")
    page.keyboard.press("Enter")
    wait_frames(page, 16)
    assert np.abs(pixels(page)[:30].mean(axis=(0, 1)) - sky).max() > 3


def test_dragging_turns(page: Page) -> None:
    start(page)
    page.locator("#world").hover()
    page.mouse.down()
    page.mouse.move(760, 400, steps=10)
    page.mouse.up()
    wait_frames(page, 10)
    assert abs(heading(page)) > 3


def test_h_hides_the_display(page: Page) -> None:
    start(page)
    numbers = page.locator(".numbers")
    expect(numbers).to_be_visible()
    page.keyboard.press("h")
    expect(numbers).to_be_hidden()
    page.keyboard.press("h")
    expect(numbers).to_be_visible()


def test_pause_stops_the_world_and_resume_goes_on(page: Page) -> None:
    start(page)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function("window.world.stats().state === 'paused'")
    frames = stats(page)["frames"]
    page.wait_for_timeout(500)
    assert stats(page)["frames"] == frames
    page.get_by_role("button", name="Resume").click()
    wait_frames(page, 8)


def test_a_hidden_page_waits_and_goes_on_when_it_is_seen(page: Page) -> None:
    start(page)
    page.evaluate(
        """() => { Object.defineProperty(document, "hidden", {value: true, configurable: true});
        document.dispatchEvent(new Event("visibilitychange")); }"""
    )
    page.wait_for_function("window.world.stats().state === 'paused'")
    page.evaluate(
        """() => { delete document.hidden;
        document.dispatchEvent(new Event("visibilitychange")); }"""
    )
    page.wait_for_function("window.world.stats().state === 'playing'")
    wait_frames(page, 8)


def test_reset_begins_the_same_world_again(page: Page) -> None:
    start(page)
    hold(page, "w", "ArrowRight")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("window.world.stats().frames < 5 && window.world.stats().frames > 0")
    page.wait_for_function("window.world.stats().frames > 4")
    assert position(page) == (0, 0)
    assert heading(page) == 0


def test_another_scene_is_entered_at_once(page: Page) -> None:
    start(page)
    hold(page, "w")
    page.get_by_role("radio", name="Dusk").check(force=True)
    page.wait_for_function(
        "window.world.stats().frames > 0 && window.world.stats().pose[2][3] === 0"
    )
    hold(page, "w")  # the hands are on the world again
    assert position(page)[1] > 0.3


def test_what_is_no_picture_is_said_in_words(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    page.set_input_files("#own-picture input", broken)
    expect(page.get_by_role("alert")).to_contain_text("This picture cannot start a world")
    page.get_by_role("button", name="Dismiss the message").click()
    expect(page.locator(".trouble")).to_be_hidden()
    start(page)


def test_a_picture_of_ones_own_begins_a_world(page: Page, picture: Path) -> None:
    page.set_input_files("#own-picture input", picture)
    page.wait_for_function("document.querySelector('#own-picture').classList.contains('chosen')")
    page.wait_for_function(f"({PIXELS})()[0] === 180")
    start(page)
    expect(page.locator(".trouble")).to_be_hidden()


def test_a_second_tab_plays_too_and_a_third_is_told(open_page: Open, server: Served) -> None:
    one, two, three = (open_page(server) for _ in range(3))
    start(one)
    start(two)
    three.get_by_role("button", name="Start", exact=True).click()
    expect(three.get_by_role("alert")).to_contain_text("All 2 places are taken")
    wait_frames(one, 8)
    wait_frames(two, 8)
    one.close()
    three.wait_for_timeout(300)
    start(three)


def test_a_lost_connection_is_said_and_mended(open_page: Open, server: Served) -> None:
    page = open_page(server)
    start(page)
    page.evaluate("window.world.link.socket.close()")
    page.wait_for_function("window.world.stats().state === 'reconnecting'")
    page.wait_for_function("window.world.stats().state === 'ready'")
    start(page)


def test_a_stage_that_gradio_replaces_is_taken_over(page: Page) -> None:
    start(page)
    page.evaluate(
        """async () => {
            const old = document.querySelector("#stage");
            const stage = document.createElement("div");
            stage.id = "stage";
            old.replaceWith(stage);
            const style = document.querySelector('link[href$="player.css"]').href;
            const player = await import(style.replace("player.css", "player.js"));
            player.mount(stage);
        }"""
    )
    wait_frames(page, 8)
    expect(page.locator("#stage #world")).to_be_visible()


def test_every_control_has_a_name(page: Page) -> None:
    start(page)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(
            "#title ~ * :is(button, input, textarea, canvas), .world :is(button, canvas)")]
            .filter((control) => control.offsetParent !== null)
            .filter((control) => !(control.ariaLabel || control.textContent.trim()
                || control.labels?.[0]?.textContent.trim()))
            .map((control) => control.outerHTML)"""
    )
    assert unnamed == []


def test_the_page_asks_no_other_server_for_anything(open_page: Open, server: Served) -> None:
    page = open_page(server)
    hosts = page.evaluate(
        "performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host)"
    )
    assert set(hosts) == {server.host}


SIMULATE = """async ({chunks, seconds, chunkFrames}) => {
    const style = document.querySelector('link[href$="player.css"]').href;
    const {PlayoutClock} = await import(style.replace("player.css", "clock.js"));
    const clock = new PlayoutClock(16, chunkFrames);
    const arrivals = [...chunks];
    const shown = [];
    let closed = 0;
    let number = 0;
    for (let now = 0; now < seconds * 1000; now += 1000 / 60) {
        while (arrivals.length && arrivals[0] <= now) {
            arrivals.shift();
            for (let i = 0; i < chunkFrames; i++)
                clock.push({number: number++, picture: {close: () => closed++}});
        }
        const frame = clock.tick(now);
        if (frame) shown.push([now, frame.number]);
    }
    return {shown, underruns: clock.underruns, spare: clock.spare, closed};
}"""


def simulate(page: Page, arrivals: list[float], seconds: float) -> Any:
    return page.evaluate(SIMULATE, {"chunks": arrivals, "seconds": seconds, "chunkFrames": 4})


def test_the_clock_shows_uneven_chunks_evenly(page: Page) -> None:
    late = np.random.default_rng(0).uniform(0, 30, 80)
    result = simulate(page, [250 * i + late[i] for i in range(80)], 19)
    times, numbers = np.array(result["shown"]).T
    assert np.array_equal(numbers, np.arange(len(numbers)))  # each frame once, in order
    gaps = np.diff(times)[8:]
    assert result["underruns"] == 0
    assert gaps.mean() == pytest.approx(62.5, rel=0.02)
    assert gaps.std() < 13  # 16 fps on a 60 Hz raster alone make 8


def test_the_clock_holds_when_it_runs_dry_and_keeps_a_spare_frame(page: Page) -> None:
    arrivals = [250.0 * i for i in range(12)] + [250.0 * i + 600 for i in range(12, 60)]
    result = simulate(page, arrivals, 9)
    assert result["underruns"] == 1
    assert result["spare"] == 1
    numbers = [number for _, number in result["shown"]]
    assert numbers == list(range(len(numbers)))  # late, but not one is skipped


def test_while_the_world_loads_the_page_says_so(context: BrowserContext, tmp_path: Path) -> None:
    loaded = threading.Event()

    def slow() -> StandInEngine:
        loaded.wait(60)
        return StandInEngine()

    with served(slow, tmp_path, page=True) as server:
        page = context.new_page()
        page.goto(server.url)
        expect(page.get_by_text("Getting the world ready")).to_be_visible(timeout=30_000)
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
        loaded.set()
        page.wait_for_function("window.world.stats().state === 'ready'")
        start(page)
        page.close()


def test_the_shipped_world_plays(open_page: Open, tmp_path: Path) -> None:
    with served(lambda: load("small"), tmp_path, page=True) as server:
        page = open_page(server)
        start(page)
        before = pixels(page)
        hold(page, "w", frames=12)
        assert position(page)[1] > 0.5
        assert np.abs(pixels(page) - before).mean() > 1
