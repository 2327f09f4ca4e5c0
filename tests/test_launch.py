"""The command line as a user meets it: flags, help, exit codes, one line on a mistake."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import launch
from app.settings import Bench, Doctor, Serve, Worlds

pytestmark = pytest.mark.cpu

ROOT = Path(launch.__file__).parent


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ([], Serve()),
        (["--port", "7000", "--no-page"], Serve(port=7000, page=False)),
        (["serve", "--world", "small"], Serve(world="small")),
        (["bench", "--chunks", "3", "--window", "6"], Bench(chunks=3, window=6)),
        (["worlds"], Worlds()),
        (["doctor", "--json"], Doctor(json=True)),
    ],
    ids=str,
)
def test_words_become_settings(words: list[str], settings: object) -> None:
    assert launch.parse(words) == settings


@pytest.mark.parametrize("settings", [Serve, Bench, Worlds, Doctor])
def test_every_setting_is_a_flag_with_words(
    settings: type, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        launch.parse([settings.__name__.lower(), "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for field in fields(settings):
        assert f"--{field.name}" in shown


def test_help_does_not_wait_for_torch() -> None:
    watch = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules))"
    asked = f"{watch}; import launch; launch.main(['--help'])"
    answer = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0
    assert "doctor" in answer.stdout
    assert answer.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("words", [["bnech"], ["serve", "--nope"], ["--port", "x"]], ids=str)
def test_wrong_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        launch.main(words)
    assert stop.value.code == 2
    assert words[-1].lstrip("-") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["bench", "--world", "atlantis"], "atlantis"),
        (["bench", "--chunks", "0"], "chunks"),
        (["bench", "--width", "100"], "width"),
        (["bench", "--weights", "/no/such/folder"], "/no/such/folder"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_exits_with_2(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch.main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert named in said.err


def test_a_bug_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(launch, "run", fail)
    with pytest.raises(
        ZeroDivisionError
    ):  # Python itself then shows the traceback and exits with 1
        launch.main(["worlds"])


def test_a_missing_package_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert launch.main([]) == 2
    assert "pip install -r requirements.txt" in capsys.readouterr().err


def test_the_last_line_of_json_is_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert launch.main(["worlds", "--json"]) == 0
    table, last = capsys.readouterr().out.rstrip("\n").rsplit("\n", 1)
    assert [world["name"] for world in json.loads(last)["worlds"]] == ["small"]
    assert table.startswith("small ")
