"""What a world is, in words that captions use: biome, time, weather, things, and its change."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from model.training.palette import BIOMES, THINGS, TIMES, WEATHERS

CHANGING_CLIPS = 0.45
FOGGY_CLIPS = 0.3


class Place(NamedTuple):
    """One world at one time, in words of ``palette``: what a caption is written from."""

    biome: str
    time: str
    weather: str
    things: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """A batch of B worlds in numbers that index ``BIOMES``, ``TIMES``, ``WEATHERS``, ``THINGS``.

    Time and weather change at the start of latent ``switch_B`` (video frames 4i-3..4i are latent
    i); where nothing changes, ``switch_B`` is the number of latents of the clip. All are int64
    ``[B]`` but ``things_B4``, bool.
    """

    biome_B: Tensor
    time_before_B: Tensor
    time_after_B: Tensor
    weather_before_B: Tensor
    weather_after_B: Tensor
    things_B4: Tensor
    switch_B: Tensor

    @classmethod
    def of(cls, before: Place, after: Place, switch: int, count: int) -> "Attributes":
        """``count`` worlds that are ``before`` until latent ``switch`` and ``after`` from then on.

        Only time and weather can change. On the CPU; ``sample_worlds`` moves them.
        """

        def index(table: list[str], word: str) -> Tensor:
            return torch.full((count,), table.index(word))

        return cls(
            biome_B=index(list(BIOMES), before.biome),
            time_before_B=index(list(TIMES), before.time),
            time_after_B=index(list(TIMES), after.time),
            weather_before_B=index(list(WEATHERS), before.weather),
            weather_after_B=index(list(WEATHERS), after.weather),
            things_B4=torch.tensor([[name in before.things for name in THINGS]]).repeat(count, 1),
            switch_B=torch.full((count,), switch),
        )

    def to(self, device: torch.device) -> "Attributes":
        """The same on another device."""
        return Attributes(**{name: getattr(self, name).to(device) for name in self.__slots__})

    def places(self) -> list[tuple[Place, Place]]:
        """Each world before and after its change, in words (waits for the device)."""
        rows = torch.stack(
            [
                self.biome_B,
                self.time_before_B,
                self.time_after_B,
                self.weather_before_B,
                self.weather_after_B,
                *self.things_B4.unbind(dim=1),
            ],
            dim=1,
        ).tolist()
        biomes, times, weathers = list(BIOMES), list(TIMES), list(WEATHERS)
        return [
            (
                Place(biomes[biome], times[time_before], weathers[weather_before], things),
                Place(biomes[biome], times[time_after], weathers[weather_after], things),
            )
            for biome, time_before, time_after, weather_before, weather_after, *flags in rows
            for things in [tuple(name for name, on in zip(THINGS, flags, strict=True) if on)]
        ]


def sample_attributes(
    count: int, latents: int, generator: torch.Generator, *, events: bool
) -> Attributes:
    """Attributes of ``count`` clips of ``latents`` latents, on the generator's device.

    With ``events``, time, weather or both change in 45 % of the clips, at any latent but the
    first, and not so late that the change could not be seen.
    """

    def draw(high: int) -> Tensor:
        return torch.randint(high, (count,), generator=generator, device=generator.device)

    def chance(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    biome_B, time_B = draw(len(BIOMES)), draw(len(TIMES))
    weather_B = (chance(count) < FOGGY_CLIPS).long()
    how_many_B = 1 + (chance(count, 1) > torch.tensor([0.1, 0.45, 0.8], device=biome_B.device)).sum(
        dim=1
    )
    rank_B4 = chance(count, len(THINGS)).argsort(dim=1)
    things_B4 = rank_B4 < how_many_B[:, None]
    is_city_B = biome_B == list(BIOMES).index("city")
    things_B4[:, THINGS.index("houses")] |= is_city_B  # a city has houses, whatever else it has

    changes_B = (chance(count) < CHANGING_CLIPS) & (latents > 1) & events
    what_B = chance(count)  # below 0.7 the time changes, above 0.55 the weather
    other_time_B = (time_B + 1 + draw(len(TIMES) - 1)) % len(TIMES)
    when_B = 1 + draw(max(latents - 3, 1))
    return Attributes(
        biome_B=biome_B,
        time_before_B=time_B,
        time_after_B=torch.where(changes_B & (what_B < 0.7), other_time_B, time_B),
        weather_before_B=weather_B,
        weather_after_B=torch.where(changes_B & (what_B > 0.55), 1 - weather_B, weather_B),
        things_B4=things_B4,
        switch_B=torch.where(changes_B, when_B, latents),
    )
