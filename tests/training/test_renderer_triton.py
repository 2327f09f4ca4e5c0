import pytest
import torch

from model.training.players import sample_paths
from model.training.renderer import render
from model.training.worlds import Worlds, sample_worlds

pytestmark = pytest.mark.gpu


def on_gpu(worlds: Worlds) -> Worlds:
    return Worlds(
        things_BNC=worlds.things_BNC.cuda(),
        ground_BC=worlds.ground_BC.cuda(),
        light_BFC=worlds.light_BFC.cuda(),
        attributes=worlds.attributes,
    )


@pytest.mark.parametrize(("size", "supersample"), [((128, 208), 2), ((61, 99), 1), ((40, 64), 4)])
def test_the_kernel_agrees_with_the_reference(size, supersample):
    generator = torch.Generator().manual_seed(7)
    path = sample_paths(6, 9, generator)
    worlds = sample_worlds(path, generator, events=True)
    shown = path[:, :2]
    expected = render(worlds, shown, *size, supersample=supersample).int()
    actual = render(on_gpu(worlds), shown.cuda(), *size, supersample=supersample).cpu().int()
    agrees = (actual - expected).abs().amax(dim=2) <= 2
    assert agrees.double().mean() >= 0.995
