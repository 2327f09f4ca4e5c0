"""Captions of procedural worlds, and the vocabulary that the small world's text encoder reads.

A caption is written from a ``Place`` with a ``random.Random``: fragments for the biome, the time,
the weather and the things, in varying words and orders, and often with some of them left out.
"""

import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

from model.training.attributes import Place
from model.training.palette import BIOMES, THINGS, TIMES, WEATHERS

PAD, EOS, UNKNOWN = "<pad>", "</s>", "<unk>"  # ids 0, 1, 2
TOKEN_LIMIT = 32
NAMED_THINGS = 3  # at most, so that no caption is longer than the limit

_BIOME = {
    "meadow": (
        "a green meadow",
        "a grassy field",
        "rolling grassland",
        "a lush pasture",
        "green hills",
        "a meadow of soft grass",
        "the countryside",
        "a summer meadow",
    ),
    "desert": (
        "a sandy desert",
        "a hot desert",
        "golden dunes",
        "a sea of sand",
        "dry desert land",
        "an arid plain of sand",
        "the desert",
        "a dusty desert",
    ),
    "snow": (
        "a snowy field",
        "a snow-covered plain",
        "a winter landscape",
        "fresh snow",
        "a frozen land",
        "white snow everywhere",
        "an icy winter world",
        "deep snow",
    ),
    "city": (
        "a city",
        "a paved city square",
        "city streets",
        "a town of tall buildings",
        "a grey urban plaza",
        "downtown",
        "a modern city",
        "a tiled city square",
    ),
    "mars": (
        "the surface of Mars",
        "a red planet",
        "a Martian plain",
        "Mars",
        "a rusty red desert on Mars",
        "an alien red world",
        "a colony on Mars",
        "red Martian soil",
    ),
    "candy": (
        "a candy land",
        "a pink candy world",
        "a sweet pastel land",
        "a checkered candy floor",
        "candyland",
        "a land of sweets",
        "a dreamy pink and purple world",
        "a colourful sugar world",
    ),
}
_TIME = {
    "day": (
        "in the daytime",
        "by day",
        "at noon",
        "in bright daylight",
        "under a blue sky",
        "on a sunny day",
        "in the middle of the day",
        "in the morning",
    ),
    "sunset": (
        "at sunset",
        "at dusk",
        "in the evening",
        "under an orange sky",
        "in the golden hour",
        "as the sun goes down",
        "in warm evening light",
        "at sundown",
    ),
    "night": (
        "at night",
        "in the dark",
        "by moonlight",
        "after dark",
        "under a dark blue sky",
        "at midnight",
        "in the dark of night",
        "under the moon",
    ),
}
_WEATHER = {
    "clear": (
        "clear air",
        "clear weather",
        "a clear view",
        "fine weather",
        "clear skies",
    ),
    "foggy": (
        "thick fog",
        "fog",
        "dense mist",
        "foggy weather",
        "heavy haze",
        "mist all around",
        "fog everywhere",
    ),
}
_THING = {
    "houses": ("houses", "buildings", "cottages", "homes", "houses with windows"),
    "boulders": ("boulders", "rocks", "big stones", "round rocks", "large boulders"),
    "pillars": ("pillars", "columns", "tall pillars", "striped columns", "stone columns"),
    "trees": ("trees", "a few trees", "tall trees", "pines and round trees", "some trees"),
}
_OPENINGS = (
    "",
    "walking through ",
    "a walk through ",
    "exploring ",
    "first-person view of ",
    "a view of ",
    "standing in ",
    "we walk across ",
)
_SHORT_TIME = {
    "day": ("day", "daytime", "daylight", "noon", "sunshine", "morning"),
    "sunset": ("sunset", "dusk", "evening", "sundown", "twilight", "golden hour"),
    "night": ("night", "nighttime", "midnight", "moonlight", "darkness"),
}
_BECOMING = ("", "it becomes ", "now it is ", "it turns to ", "make it ", "suddenly ")


def caption(place: Place, dice: random.Random) -> str:
    """One English caption of ``place``; the same ``dice`` state gives the same words."""
    form = dice.random()
    if form < 0.14:
        text = _mood(place, dice)
    elif form < 0.24:
        text = dice.choice(_BIOME[place.biome])
    else:
        text = _sentence(place, dice)
    if dice.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + dice.choice(("", "", "."))


def build_tokenizer(vocab_size: int) -> Tokenizer:
    """A tokenizer of exactly ``vocab_size`` entries, made from captions; always the same one.

    Byte-level BPE: any text at all is encoded, words the captions lack as pieces or bytes. Pad,
    end and unknown have the ids 0, 1 and 2; the end is appended to every text, and texts are cut
    at 32 tokens. Entries that the captions do not fill are reserved.
    """
    dice = random.Random(0)
    places = [
        Place(biome, time, weather, tuple(thing for thing in THINGS if dice.random() < 0.6))
        for biome in BIOMES
        for time in TIMES
        for weather in WEATHERS
        for _ in range(160)
    ]
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, EOS, UNKNOWN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([caption(place, dice) for place in places], trainer)
    missing = vocab_size - tokenizer.get_vocab_size()
    tokenizer.add_special_tokens([f"<reserved_{index}>" for index in range(missing)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", special_tokens=[(EOS, tokenizer.token_to_id(EOS))]
    )
    tokenizer.enable_truncation(TOKEN_LIMIT)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``, for transformers' AutoTokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "eos_token": EOS,
        "unk_token": UNKNOWN,
        "model_max_length": TOKEN_LIMIT,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def _mood(place: Place, dice: random.Random) -> str:
    """Only the time or only the weather, as a player types it while walking."""
    words = dice.choice(_SHORT_TIME[place.time])
    if place.weather == "foggy" and dice.random() < 0.6:
        fog = dice.choice(_WEATHER["foggy"])
        words = dice.choice((fog, f"{words}, {fog}", f"{fog} {dice.choice(_TIME[place.time])}"))
    return dice.choice(_BECOMING) + words


def _sentence(place: Place, dice: random.Random) -> str:
    """The biome with most of time, weather and things, in one of several orders."""
    time = dice.choice(_TIME[place.time]) if dice.random() < 0.88 else ""
    weather_odds = 0.9 if place.weather == "foggy" else 0.3
    weather = dice.choice(_WEATHER[place.weather]) if dice.random() < weather_odds else ""
    things = _things(place, dice) if dice.random() < 0.7 else ""
    biome = dice.choice(_BIOME[place.biome])

    if dice.random() < 0.3:
        words = [biome, dice.choice(_SHORT_TIME[place.time]) if time else "", weather, things]
        if dice.random() < 0.5:
            dice.shuffle(words)
        return ", ".join(word for word in words if word)
    start = dice.choice(_OPENINGS) + biome
    if things:
        start += dice.choice((f" with {things}", f", {things}"))
    if weather:
        start += f" {dice.choice(('in', 'with', 'and'))} {weather}"
    if not time:
        return start
    return f"{time}, {start}" if dice.random() < 0.3 else f"{start} {time}"


def _things(place: Place, dice: random.Random) -> str:
    """Some or all of the things there, named in any order."""
    there = [dice.choice(_THING[thing]) for thing in place.things]
    dice.shuffle(there)
    if len(there) > 1 and dice.random() < 0.3:
        there.pop()
    there = there[:NAMED_THINGS]
    return " and ".join((", ".join(there[:-1]), there[-1])) if len(there) > 1 else "".join(there)
