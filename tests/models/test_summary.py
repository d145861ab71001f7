"""`Module.summary`: every parameter and multiply-add in one row, and the model left as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import models, nn
from tinygrad_cnn.nn.summary import rows


@pytest.mark.parametrize("name", ["lenet", "bn_lenet", "resnet8", "textcnn_d2l", "go_policy_9x9"])
def test_rows_add_up_to_the_model(name):
    model = models.build(name)
    table = rows(model, (2, *model.input_shape))
    assert sum(row.parameters for row in table) == model.count_parameters()
    assert f"{model.count_parameters():,}" in model.summary((2, *model.input_shape))


@given(
    n=st.integers(1, 3),
    before=st.integers(1, 4),
    after=st.integers(1, 4),
    size=st.integers(3, 7),
    kernel=st.integers(1, 3),
)
def test_multiply_adds_of_a_convolution(n, before, after, size, kernel):
    (row,) = rows(nn.Conv2d(before, after, kernel), (n, before, size, size))
    out = size - kernel + 1
    assert row.output == (n, after, out, out)
    assert row.multiply_adds == n * after * out**2 * before * kernel**2


def test_parameters_that_two_layers_share_count_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    table = rows(nn.Sequential(first, second), (1, 3))
    assert [row.parameters for row in table] == [12, 0]


def test_it_leaves_mode_and_statistics_alone():
    model = models.BNLeNet()
    model.classifier.bn1.eval()
    before = {name: value.copy() for name, value in model.state_dict().items()}
    modes = [module.training for _, module in model.named_modules()]
    model.summary((2, 1, 28, 28))
    assert [module.training for _, module in model.named_modules()] == modes
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_a_block_shows_its_addition_after_its_branch():
    names = [row.name for row in rows(models.ResNet((1,), (2,)), (1, 1, 6, 6))]
    assert names.index("layer1.0.bn2") + 1 == names.index("layer1.0")


def test_lines_are_a_table():
    text = models.LeNet().summary((1, 1, 28, 28))
    assert len({len(line) for line in text.splitlines()[1:]}) == 1
    assert "LeNet on an input of 1 × 1 × 28 × 28" in text
    assert "AvgPool2d(kernel_size=2, stride=2" in text


@pytest.mark.parametrize("shape", [(0, 1, 28, 28), (1, 1, 28.0, 28), (1, -1), 784])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(tg.errors.ShapeError, match="summary: input_shape must be ints ≥ 1"):
        models.LeNet().summary(shape)
