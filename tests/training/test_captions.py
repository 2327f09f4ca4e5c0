import itertools
import random

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from model.training.attributes import Place
from model.training.captions import TOKEN_LIMIT, build_tokenizer, caption, save_tokenizer
from model.training.palette import BIOMES, THINGS, TIMES, WEATHERS

pytestmark = pytest.mark.cpu

EVERYWHERE = [
    Place(biome, time, weather, THINGS)
    for biome, time, weather in itertools.product(BIOMES, TIMES, WEATHERS)
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer(1024)


def test_captions_vary_and_repeat_with_the_dice():
    place = Place("snow", "night", "foggy", ("houses", "trees"))
    captions = [caption(place, random.Random(seed)) for seed in range(300)]
    assert len(set(captions)) > 150
    assert captions == [caption(place, random.Random(seed)) for seed in range(300)]


def test_a_place_of_few_things_never_names_others():
    place = Place("desert", "day", "clear", ("pillars",))
    text = " ".join(caption(place, random.Random(seed)).lower() for seed in range(300))
    assert "pillars" in text
    for word in ("house", "tree", "boulder", "fog", "night", "sunset", "snow"):
        assert word not in text


def test_the_vocabulary_is_exact_and_deterministic(tokenizer):
    assert tokenizer.get_vocab_size() == 1024
    assert [tokenizer.token_to_id(token) for token in ("<pad>", "</s>", "<unk>")] == [0, 1, 2]
    assert build_tokenizer(1024).to_str() == tokenizer.to_str()


def test_no_caption_is_longer_than_the_limit(tokenizer):
    unlimited = Tokenizer.from_str(tokenizer.to_str())
    unlimited.no_truncation()
    dice = random.Random(0)
    captions = [caption(place, dice) for place in EVERYWHERE for _ in range(100)]
    lengths = [len(encoding.ids) for encoding in unlimited.encode_batch(captions)]
    assert max(lengths) <= TOKEN_LIMIT


@pytest.mark.parametrize(
    "text",
    ["a green meadow at sunset.", "xylophone zebra", "雪原の夜", "walk 🙂 here", "ünïcode", ""],
)
def test_any_text_goes_through_and_ends_with_eos(tokenizer, text):
    encoding = tokenizer.encode(text)
    assert encoding.ids[-1] == 1
    assert 2 not in encoding.ids
    assert tokenizer.decode(encoding.ids).strip() == text


def test_transformers_loads_what_was_saved(tokenizer, tmp_path):
    save_tokenizer(tokenizer, tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.pad_token_id, loaded.eos_token_id, loaded.unk_token_id) == (0, 1, 2)
    texts = ["night", "thick fog in the city " * 20]
    batch = loaded(texts, padding="max_length", max_length=TOKEN_LIMIT, truncation=True)
    assert [len(ids) for ids in batch["input_ids"]] == [TOKEN_LIMIT] * 2
    expected = tokenizer.encode("night").ids
    assert batch["input_ids"][0] == expected + [0] * (TOKEN_LIMIT - len(expected))
    assert batch["input_ids"][1][-1] == 1
