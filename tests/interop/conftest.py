"""torchvision beside any build of PyTorch."""

import pytest


@pytest.fixture(scope="session")
def torchvision():
    """Beside a build that does not fit it, it lacks its own kernels, which no network here needs."""
    torch = pytest.importorskip("torch")
    try:
        return pytest.importorskip("torchvision")
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor d, Tensor s, float t) -> Tensor")
        return pytest.importorskip("torchvision")
