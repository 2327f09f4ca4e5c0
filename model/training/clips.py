"""Training clips: players who walk through procedural worlds, with captions before and after."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from model.training.attributes import Attributes
from model.training.captions import caption
from model.training.players import sample_paths
from model.training.renderer import render
from model.training.worlds import sample_worlds

UNCAPTIONED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """B clips of F video frames.

    ``frames`` uint8 ``[B, F, 3, H, W]``; ``c2w_BF44`` float32, OpenCV axes (y DOWN), metres. The
    later caption holds from latent ``switch_B`` on (int64 ``[B]``; video frames 4i-3..4i are latent
    i); where nothing changes that is the number of latents, and the two captions are the same. A
    tenth of the clips has empty captions.
    """

    frames: Tensor
    c2w_BF44: Tensor
    captions_before: list[str]
    captions_after: list[str]
    switch_B: Tensor


def sample_clips(  # noqa: PLR0913 (what a clip shows, and what may be prescribed about it)
    count: int,
    frames: int,
    generator: torch.Generator,
    *,
    height: int,
    width: int,
    focal: float = 0.64,
    events: bool = True,
    paths: Tensor | None = None,
    attributes: Attributes | None = None,
) -> Clips:
    """``count`` clips of ``frames`` (4n + 1) frames, made on the generator's device.

    Cameras and attributes are sampled unless given: ``paths`` as c2w ``[count, frames, 4, 4]``.
    ``focal`` is fx = fy in units of the width. The same generator state and device give the same
    clips.
    """
    if paths is None:
        paths = sample_paths(count, frames, generator)
    paths = paths.to(generator.device, torch.float32)
    worlds = sample_worlds(paths, generator, events=events, attributes=attributes)
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    dice = random.Random(int(seed))
    before, after = _captions(worlds.attributes, dice)
    return Clips(
        frames=render(worlds, paths, height, width, focal=focal),
        c2w_BF44=paths,
        captions_before=before,
        captions_after=after,
        switch_B=worlds.attributes.switch_B,
    )


def _captions(attributes: Attributes, dice: random.Random) -> tuple[list[str], list[str]]:
    before, after = [], []
    for first, second in attributes.places():
        text = "" if dice.random() < UNCAPTIONED else caption(first, dice)
        before.append(text)
        after.append(caption(second, dice) if text and second != first else text)
    return before, after
