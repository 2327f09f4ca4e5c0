import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from app.doctor import Checkup, Finding, speed, unmet, weights
from app.machine import this_machine
from model import WORLDS

pytestmark = pytest.mark.cpu


def test_what_requirements_miss_is_named_with_what_is_there(tmp_path: Path) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("# comment\nnumpy>=2\n\nnumpy<1  # old\nno-such-package-at-all>=3\n")
    old, absent = unmet(wanted)
    assert old.startswith("numpy is 2")
    assert old.endswith("not <1")
    assert absent == "no-such-package-at-all is missing"


def test_weights_are_held_to_their_card(tmp_path: Path) -> None:
    world = replace(WORLDS["small"], weights=str(tmp_path))
    assert "git checkout" in weights(world).remedy

    file = tmp_path / "dit.safetensors"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "CARD.md").write_text(
        f"| file | SHA-256 |\n|---|---|\n| `{file.name}` | `{digest}` |\n"
    )
    assert weights(world) == Finding("world small", "1 files with the SHA-256 of CARD.md")

    file.write_bytes(b"other weights")
    assert "dit.safetensors" in weights(world).found
    assert weights(world).remedy
    file.rename(tmp_path / "vae.safetensors")
    assert "dit.safetensors not in" in weights(world).found


def test_slow_and_unmeasured_speeds_are_told_apart() -> None:
    assert not speed(60.0).remedy
    assert speed(3.0).remedy
    assert "not measured" in speed(None).found


def test_the_table_marks_what_needs_a_remedy() -> None:
    findings = (Finding("browser", "none", "install one"), Finding("device", "cpu"))
    _, first, remedy, second = str(Checkup(this_machine(), findings, None)).splitlines()
    assert first.startswith("!! browser")
    assert remedy.endswith("-> install one")
    assert second.startswith("ok device")
