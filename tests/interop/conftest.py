"""torchvision beside any build of PyTorch."""

import pytest


@pytest.fixture(scope="session")
def torchvision():
    """Beside another build its own kernels are missing; no network here needs them."""
    torch = pytest.importorskip("torch")
    try:
        return pytest.importorskip("torchvision")
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor d, Tensor s, float t) -> Tensor")
        return pytest.importorskip("torchvision")
