import re
from dataclasses import fields

import pytest

import app.errors
from app.messages import OUR_FAULT, WORDS, explain
from model import BadSetting, UnknownWorld, WorldError

pytestmark = pytest.mark.cpu

KINDS = sorted(WorldError.__subclasses__(), key=lambda kind: kind.__name__)


def test_every_kind_has_words_and_no_words_are_without_a_kind() -> None:
    assert app.errors.WorldFull in KINDS
    assert set(WORDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_words_hold_every_fact_and_a_remedy(kind: type[WorldError]) -> None:
    names = (
        [field.name for field in fields(kind)] if kind.__init__ is not Exception.__init__ else []
    )
    facts = {name: f"<{name}>" for name in names}
    words = explain(kind(**facts))
    hidden = {"StillLoading"}  # its progress is on the page already
    if kind.__name__ not in hidden:
        assert all(fact in words for fact in facts.values())
    assert not re.search(r"[{}]", words)
    assert words.endswith(".")


def test_several_values_read_as_a_list() -> None:
    assert explain(UnknownWorld("big", ("small", "tiny"))).endswith("Choose one of: small, tiny.")


def test_a_setting_names_its_value_and_remedy() -> None:
    words = explain(BadSetting("chunk", 0, "a chunk has at least 1 latent"))
    assert words == "The setting chunk cannot be 0: a chunk has at least 1 latent."


def test_a_bug_of_ours_shows_no_insides() -> None:
    assert explain(KeyError("secret")) == OUR_FAULT
    assert explain(WorldError()) == OUR_FAULT
