"""What holds for every test: exactly one mark, and patience with slow machines."""

import pytest
import torch
from hypothesis import HealthCheck, settings

# Two cores share one test run; a team of threads in each operation only waits for itself.
torch.set_num_threads(1)

MARKS = {"cpu", "gpu", "browser"}

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = MARKS & {mark.name for mark in item.iter_markers()}
        if len(marks) != 1:
            raise pytest.UsageError(f"{item.nodeid} needs exactly one mark of {sorted(MARKS)}")
        if "gpu" in marks and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
