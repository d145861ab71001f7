"""torchvision beside any build of PyTorch."""

import pytest


@pytest.fixture(scope="session")
def torchvision():
    torch = pytest.importorskip("torch")
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield pytest.importorskip("torchvision")
    library._destroy()
