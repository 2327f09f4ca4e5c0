"""Muon beside AdamW, and the running average of weights."""

import copy

import pytest
import torch
from torch import Tensor, nn

from model.training.ema import EMA
from model.training.optimizer import MuonAdamW, orthogonalize

pytestmark = pytest.mark.cpu


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(32, 8)
    )


def is_hidden(name: str, parameter: Tensor) -> bool:
    return parameter.ndim > 1 and not name.startswith("0.")


def set_gradients(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("shape", [(24, 24), (16, 40), (40, 16)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape) * torch.tensor([1e-3, 1.0, 1e3]).view(3, 1, 1)
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    s = s.clamp(min=0.02 * s.amax(-1, keepdim=True))
    result = orthogonalize(u @ s.diag_embed() @ v)
    after = torch.linalg.svdvals(result)
    assert after.min() > 0.6
    assert after.max() < 1.3
    # The singular vectors stay: seen in their axes the result is diagonal.
    seen = u.mT @ result @ v.mT
    off_diagonal = seen - seen.diagonal(dim1=-2, dim2=-1).diag_embed()
    assert off_diagonal.abs().max() < 1e-3


def test_batched_is_one_by_one() -> None:
    matrices = torch.randn(5, 12, 20)
    alone = torch.stack([orthogonalize(matrix[None])[0] for matrix in matrices])
    torch.testing.assert_close(orthogonalize(matrices), alone)


def test_same_steps_as_torch_on_plain_matrices() -> None:
    """torch's Muon rounds to bfloat16, and knows 2D only: compare where both apply."""
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 16))
    theirs = copy.deepcopy(ours)
    before = copy.deepcopy(ours)
    optimizer = MuonAdamW(ours, lambda name, parameter: parameter.ndim == 2, weight_decay=0.1)
    oracle = torch.optim.Muon(
        [layer.weight for layer in theirs],
        lr=1e-2,
        weight_decay=0.1,
        adjust_lr_fn="match_rms_adamw",
    )
    for seed in range(4):
        set_gradients(ours, seed)
        set_gradients(theirs, seed)
        optimizer.step(1e-2)
        oracle.step()
    for a, b, start in zip(ours, theirs, before, strict=True):
        moved = (b.weight - start.weight).norm()
        assert (a.weight - b.weight).norm() < 0.02 * moved


@pytest.mark.parametrize("inputs", [1, 6])
def test_kernels_move_as_matrices(inputs: int) -> None:
    conv = nn.Conv2d(inputs, 10, 3)  # taller than wide, wider than tall
    matrix = nn.Linear(inputs * 9, 10)
    with torch.no_grad():
        matrix.weight.copy_(conv.weight.flatten(1))
        matrix.bias.copy_(conv.bias)
    for module in (conv, matrix):
        set_gradients(module, 0)
        MuonAdamW(module, lambda name, parameter: parameter.ndim > 1).step(0.1)
    torch.testing.assert_close(conv.weight.flatten(1), matrix.weight)


def test_the_memory_order_of_a_kernel_does_not_matter() -> None:
    plain = network()
    channels_last = network().to(memory_format=torch.channels_last)
    for module in (plain, channels_last):
        set_gradients(module, 0)
        MuonAdamW(module, is_hidden).step(0.1)
    for a, b in zip(plain.parameters(), channels_last.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_every_parameter_moves_and_only_hidden_ones_decay() -> None:
    module = network()
    before = copy.deepcopy(dict(module.named_parameters()))
    optimizer = MuonAdamW(module, is_hidden, weight_decay=0.5)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(0.1)
    for name, parameter in module.named_parameters():
        expected = before[name] * (0.95 if is_hidden(name, parameter) else 1.0)
        torch.testing.assert_close(parameter, expected)
    set_gradients(module, 0)
    still = copy.deepcopy(dict(module.named_parameters()))
    optimizer.step(0.1)
    assert all(not torch.equal(p, still[name]) for name, p in module.named_parameters())


def test_adam_takes_its_share_of_the_learning_rate() -> None:
    moved = {}
    for scale in (1.0, 0.25):
        module = nn.Linear(4, 4)
        before = module.bias.detach().clone()
        optimizer = MuonAdamW(
            module,
            lambda name, parameter: name == "weight",
            adam_scale=lambda name, scale=scale: scale,
        )
        set_gradients(module, 0)
        optimizer.step(0.1)
        moved[scale] = (module.bias - before).abs().max().item()
    assert moved[1.0] == pytest.approx(0.1, rel=1e-3)
    assert moved[0.25] == pytest.approx(0.025, rel=1e-3)


def test_a_saved_state_goes_on_identically() -> None:
    module = network()
    optimizer = MuonAdamW(module, is_hidden)
    for seed in range(3):
        set_gradients(module, seed)
        optimizer.step(0.01)
    resumed = copy.deepcopy(module)
    other = MuonAdamW(resumed, is_hidden)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    fresh = copy.deepcopy(module)
    forgetful = MuonAdamW(fresh, is_hidden)
    for seed in range(3, 5):
        for net, stepped in ((module, optimizer), (resumed, other), (fresh, forgetful)):
            set_gradients(net, seed)
            stepped.step(0.01)
    for a, b, c in zip(module.parameters(), resumed.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_zero_grad_forgets_every_gradient() -> None:
    module = network()
    set_gradients(module, 0)
    MuonAdamW(module, is_hidden).zero_grad()
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_average_trails_the_weights() -> None:
    module = nn.BatchNorm1d(1)  # has float buffers and an integer one
    nn.init.zeros_(module.weight)
    ema = EMA(module, decay=0.5)
    nn.init.ones_(module.weight)
    module.running_mean.fill_(1)
    expected = 0.0
    for n in range(1, 20):
        ema.update()
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay)
        assert ema.module.weight.item() == pytest.approx(expected)
        assert ema.module.running_mean.item() == pytest.approx(expected)
    assert module.weight.item() == 1.0
    assert not ema.module.weight.requires_grad
