"""Fixtures for all tests."""

import pytest


@pytest.fixture(params=["cpu", "cuda"])
def device(request, monkeypatch) -> str:
    """Run the test on the CPU and, where there is one, on a GPU."""
    torch = pytest.importorskip("torch")
    if request.param == "cpu":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    elif not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return request.param
