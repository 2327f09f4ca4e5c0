"""A real Chromium, and the served page in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import FLAGS, INSTALL, find_chromium
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from served import Served, served
from standin import Behaviour, StandInEngine


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip(INSTALL)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = StandInEngine(behaviour=Behaviour(chunk_seconds=0.02))
    folder = tmp_path_factory.mktemp("scenes")
    with served(lambda: engine, folder, players=2, page=True) as running:
        yield running


Open = Callable[[Served], Page]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile; afterwards, whatever its consoles complained of is a failure."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", hear)

    def hear(line: ConsoleMessage) -> None:
        refused_upload = "status of 422" in line.text  # which the browser itself reports
        if line.type in ("error", "warning") and not refused_upload:
            complaints.append(line.text)

    context.on("page", watch)
    yield context
    context.close()
    assert complaints == []


@pytest.fixture
def open_page(context: BrowserContext) -> Open:
    """Opens a page of a server and waits until it can be played."""

    def open_one(server: Served) -> Page:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_function("window.world?.stats().state === 'ready'", timeout=60_000)
        return page

    return open_one


@pytest.fixture
def page(open_page: Open, server: Served) -> Page:
    return open_page(server)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "own.png"
    Image.new("RGB", (300, 300), (180, 40, 160)).save(path)
    return path
