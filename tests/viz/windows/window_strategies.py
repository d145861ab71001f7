"""What tests of windows run on: the slides' arrays, and random convolutions and poolings."""

import numpy as np
from hypothesis import strategies as st

X = np.arange(9.0).reshape(3, 3)
W = np.arange(4.0).reshape(2, 2)
small = st.integers(1, 3)


@st.composite
def convolutions(draw):
    """Arguments for a convolution that fits, in one or two dimensions."""
    d = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    channels, outputs = draw(small), draw(small)
    kernel = [draw(small) for _ in range(d)]
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(d))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(d))
    size = [
        max(1, (k - 1) * e + 1 - sum(p)) + draw(st.integers(0, 4))
        for k, e, p in zip(kernel, dilation, padding, strict=True)
    ]
    bias = rng.normal(size=outputs) if draw(st.booleans()) else None
    options = {
        "stride": tuple(draw(small) for _ in range(d)),
        "padding": padding,
        "dilation": dilation,
    }
    return (
        rng.normal(size=(channels, *size)),
        rng.normal(size=(outputs, channels, *kernel)),
        bias,
        options,
    )


@st.composite
def poolings(draw):
    d = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    kernel = tuple(draw(small) for _ in range(d))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = [k + draw(st.integers(0, 4)) for k in kernel]
    options = {
        "kernel_size": kernel,
        "stride": tuple(draw(small) for _ in range(d)),
        "padding": padding,
    }
    # whole numbers: ties are common
    return rng.integers(-2, 3, (draw(small), *size)).astype(float), options
