"""The cells that windows read are the same as when they are counted one by one."""

from hypothesis import example, given
from hypothesis import strategies as st

from tinygrad_cnn.kernels.windows import inside, output_size


@given(
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(1, 5),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.integers(1, 3),
)
def test_output_size_counts_the_windows_that_fit(n, kernel, stride, padding, dilation):
    cells = range(-padding[0], n + padding[1])
    reach = (kernel - 1) * dilation
    if len(cells) > reach:
        fit = [i for i in cells[::stride] if i + reach in cells]
        assert output_size(n, kernel, stride, padding, dilation) == len(fit)


@given(st.integers(1, 12), st.integers(1, 8), st.integers(1, 4), st.integers(-9, 15))
@example(n=4, windows=1, stride=4, offset=-2)  # the only window reads padding
def test_inside_pairs_windows_with_the_cells_that_they_read(n, windows, stride, offset):
    found, cells = inside(n, windows, stride, offset)
    reads = {i: i * stride + offset for i in range(windows) if 0 <= i * stride + offset < n}
    assert list(range(windows)[found]) == list(reads)
    assert list(range(n)[cells]) == list(reads.values())
