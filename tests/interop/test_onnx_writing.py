"""`to_onnx`: what is written passes ONNX's checker, and onnxruntime computes the same."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.interop.onnx import without_gradient as steps
from tinygrad_cnn.interop.onnx.writers.table import WRITERS

from .onnx_models import model, node

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

LOSSES = {"cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "mse_loss"}
GRADIENTS = {
    *(f"conv{d}d_weight_grad" for d in (1, 2, 3)),
    *(f"avg_pool{d}d_input_grad" for d in (1, 2, 3)),
    "unpool",
    "take_winners",
    "scatter_add",
    "interpolate_input_grad",
}
TRAINING = {"batch_norm_train", "dropout_mask"}


class Computes(tg.nn.Module):
    """A module of one function."""

    def __init__(self, function, **parameters):
        super().__init__()
        self.function = function
        for name, value in parameters.items():
            setattr(self, name, tg.nn.Parameter(value))

    def forward(self, *inputs):
        return self.function(*inputs)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def run(path, *inputs):
    """The outputs by onnxruntime, once the checker has passed the file."""
    onnx.checker.check_model(str(path), full_check=True)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def check(module, path, example, *others):
    """Written on the example, the file agrees with the module there and on other batches.

    So does what is read from it.
    """
    given = example if isinstance(example, tuple) else (example,)
    tg.to_onnx(module, path, given)
    module.eval()
    read = tg.from_onnx(path)
    for inputs in (given, *others):
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        wanted = module(*map(tg.Tensor, inputs))
        wanted = wanted if isinstance(wanted, tuple | list) else (wanted,)
        again = read(*map(tg.Tensor, inputs))
        again = again if isinstance(again, tuple) else (again,)
        results = zip(run(path, *inputs), again, wanted, strict=True)
        for theirs, ours, tensor in results:
            for got in (theirs, ours.data):
                assert got.dtype == tensor.dtype
                assert got.shape == tensor.shape
                np.testing.assert_allclose(got, tensor.data, 1e-4, 1e-4)
    return read


# --- models ----------------------------------------------------------------------------------

SMALL = {"resnet18": (1, 32, 32), "resnet34": (1, 32, 32), "go_policy": (48, 19, 19)}
SLOW = {"alexnet", "nin", "resnet34", "resnet50", "resnet56", "resnet110", "resnet152", "go_policy"}


def is_slow(name):
    return name.replace("plain", "resnet") in SLOW


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if is_slow(n) else n for n in tg.models.MODELS],
)
def test_every_model(name, tmp_path):
    built = tg.models.build(name)
    shape = tg.models.MODELS[name].input_shape
    if "res" in name or "plain" in name:
        shape = (shape[0], min(shape[1], 32), min(shape[2], 32))
    if len(shape) == 1:
        x = np.random.default_rng(0).integers(0, 2048, (2, *shape))
    else:
        x = numbers(2, *shape)
    read = check(built, tmp_path / "model.onnx", x, x[:1])
    shapes = {name: p.shape for name, p in read.named_parameters()}
    assert {name: p.shape for name, p in built.named_parameters()}.items() <= shapes.items()


# --- ops -------------------------------------------------------------------------------------

X, IMAGE = numbers(2, 3, 4), numbers(2, 4, 7, 6)
W = numbers(3, 4, seed=1)
SEEN = np.array([[True, False, True], [False, False, False], [True, True, True]])

CASES = {
    "add": lambda x: x + W,
    "subtract": lambda x: 1 - x,
    "multiply": lambda x: x * 2,
    "divide": lambda x: x / (W * W + 1),
    "power": lambda x: tg.power(tg.absolute(x), 1.5),
    "power of a number": lambda x: tg.power(2.0, x),
    "negative": lambda x: -x,
    "absolute": lambda x: abs(x),
    "where": lambda x: tg.where(steps.greater(x, 0.0), x, -2.0),
    "maximum": lambda x: tg.maximum(x, 0.1),
    "minimum": lambda x: tg.minimum(x, W),
    "exp": tg.exp,
    "expm1": tg.expm1,
    "log": lambda x: tg.log(tg.square(x) + 0.1),
    "log1p": lambda x: tg.log1p(tg.square(x)),
    "sqrt": lambda x: tg.sqrt(tg.absolute(x)),
    "sin cos tanh": lambda x: tg.sin(x) + tg.cos(x) + tg.tanh(x),
    "sigmoid relu": lambda x: tg.sigmoid(x) + tg.relu(x),
    "clip": lambda x: tg.clip(x, -0.5, 0.5) + tg.clip(x, max=1),
    "clip by arrays": lambda x: tg.clip(x, W - 0.5, W) + tg.clip(x, max=W) + tg.clip(x, W, -W),
    "leaky_relu": lambda x: tg.leaky_relu(x, 0.2),
    "tan atan sinh cosh": lambda x: tg.tan(x) + tg.atan(x) + tg.sinh(x) + tg.cosh(x),
    "reciprocal rsqrt": lambda x: tg.reciprocal(x * x + 1) + tg.rsqrt(x * x + 1),
    "exp2 log2 log10": lambda x: tg.exp2(x) + tg.log2(x * x + 1) + tg.log10(x * x + 1),
    "trunc": lambda x: tg.trunc(x * 3),
    "remainder": lambda x: tg.remainder(x, 0.7),
    "hardtanh hardsigmoid": lambda x: tg.hardtanh(x, -0.3, 0.4) + tg.hardsigmoid(4 * x),
    "hardswish mish log_sigmoid": lambda x: tg.hardswish(4 * x) + tg.mish(x) + tg.log_sigmoid(x),
    "prelu": lambda x: tg.prelu(x, np.array([0.1, -0.2, 0.3], np.float32)),
    "glu": lambda x: tg.glu(x, -1),
    "masked_fill": lambda x: tg.masked_fill(x, np.eye(3, 4, dtype=bool), -5.0),
    "gelu": tg.gelu,
    "gelu by tanh": lambda x: tg.gelu(x, "tanh"),
    "elu silu softplus erf": lambda x: tg.elu(x, 0.5) + tg.silu(x) + tg.softplus(x) + tg.erf(x),
    "softplus with a threshold": lambda x: tg.softplus(x, 2.0, 0.5) + tg.softplus(x, -1.0, 0.0),
    "floor ceil round sign": lambda x: tg.floor(x) + tg.ceil(x) + tg.round(x) + tg.sign(x),
    "argmax": lambda x: steps.argmax(x, axis=1),
    "argmin": lambda x: steps.argmin(x, axis=2, last=True),
    "broadcast_to": lambda x: tg.broadcast_to(x[:, None], (x.shape[0], 5, 3, 4)),
    "concatenate": lambda x: tg.concatenate([x, x * 2], axis=2),
    "stack": lambda x: tg.stack([x, x * 2], axis=1),
    "split": lambda x: tg.split(x, [1, 3], axis=2)[1],
    "sum": lambda x: tg.sum(x, axis=(1, 2)),
    "mean": lambda x: tg.mean(x, axis=1, keepdims=True),
    "max min": lambda x: tg.max(x, axis=1) - tg.min(x, axis=1),
    "prod": lambda x: tg.prod(x, axis=2),
    "var std": lambda x: tg.var(x, axis=1, ddof=0.5) + tg.std(x, axis=1),
    "norm": lambda x: tg.norm(x, axis=2),
    "logsumexp": lambda x: tg.logsumexp(x, axis=2),
    "cumsum": lambda x: tg.cumsum(x, axis=1),
    "flip": lambda x: tg.flip(x, axis=(1, 2)),
    "roll": lambda x: tg.roll(x, (1, -2), (1, 2)),
    "reshape": lambda x: x.reshape(x.shape[0], 4, 3),
    "reshape into the batch": lambda x: x.reshape(x.shape[0] * 3, 4),
    "reshape with two that move": lambda x: x.reshape(1, x.shape[0], 12)[0],
    "transpose": lambda x: x.transpose(2, 0, 1),
    "moveaxis": lambda x: tg.moveaxis(x, (0, 2), (2, 1)),
    "astype": lambda x: tg.astype(x, np.float64),
    "pad": lambda x: tg.pad(x, ((0, 0), (1, 2), (0, 1)), constant_values=3.0),
    "pad by reflection": lambda x: tg.pad(x, ((0, 0), (1, 2), (0, 1)), mode="reflect"),
    "pad by wrapping": lambda x: tg.pad(x, ((0, 0), (1, 4), (0, 1)), mode="wrap"),
    "expand_dims squeeze": lambda x: tg.squeeze(tg.expand_dims(x, (0, 2)), 0),
    "take": lambda x: tg.take(x, [[2, 0], [1, 1]], axis=1),
    "repeat": lambda x: tg.repeat(x, [2, 0, 1], axis=1),
    "getitem by slices": lambda x: x[:, 1:, ::-2],
    "getitem by numbers": lambda x: x[:, -1, None, 1],
    "getitem by an array": lambda x: x[:, :, [3, 0, 0]],
    "getitem by arrays": lambda x: x[:, [0, 2], [1, 3]],
    "getitem by arrays apart": lambda x: x.transpose(1, 0, 2)[[0, 2], :, [1, 3]],
    "getitem by a mask": lambda x: x[:, np.array([True, False, True])],
    "matmul": lambda x: tg.matmul(x, W.T),
    "einsum": lambda x: tg.einsum("nij,kj->nik", x, W),
    "outer": lambda x: tg.outer(x.reshape(-1), tg.Tensor(numbers(5))),
    "linear": lambda x: tg.linear(x, W, numbers(3)),
    "rms_norm": lambda x: tg.rms_norm(x, 4, W[0]) + tg.rms_norm(x, (3, 4), eps=0.1),
    "rms_norm of float16": lambda x: tg.rms_norm(tg.astype(x * 300, np.float16), 4),
    "attention": lambda x: tg.scaled_dot_product_attention(x, W, W, scale=0.3),
    "attention, causal": lambda x: tg.scaled_dot_product_attention(x, x, x, is_causal=True),
    "attention, masked": lambda x: tg.scaled_dot_product_attention(x, W, W, SEEN),
    "attention, biased": lambda x: tg.scaled_dot_product_attention(x, x, x, tg.sum(x, 2)[:, None]),
    "softmax": lambda x: tg.softmax(x, axis=1) + tg.log_softmax(x, axis=2),
    "layer_norm": lambda x: tg.layer_norm(x, (3, 4), W, W),
    "layer_norm alone": lambda x: tg.layer_norm(x, 4),
    "residual_add": lambda x: tg.residual_add(x, tg.relu(x)),
    "ones for each example": lambda x: x + np.ones((x.shape[0], 1, 4), np.float32),
    "logic": lambda x: tg.where(
        steps.logical_not(steps.logical_and(steps.less(x, 0.5), steps.isnan(x))), x, 0.0
    ),
}
IMAGES = {
    "conv2d": lambda x: tg.conv2d(
        x, numbers(6, 2, 3, 2), numbers(6), (2, 1), ((1, 2), (0, 1)), (1, 2), 2
    ),
    "conv1d": lambda x: tg.conv1d(x[:, :, 0], numbers(3, 4, 3), padding="same"),
    "conv3d": lambda x: tg.conv3d(x[:, None], numbers(2, 1, 2, 2, 2)),
    "conv_transpose2d": lambda x: tg.conv_transpose2d(
        x, numbers(4, 3, 3, 3), numbers(3), stride=2, padding=1, output_padding=1
    ),
    "unfold": lambda x: tg.unfold(x, (3, 2), (2, 1), ((1, 2), (0, 1)), (1, 2)),
    "fold": lambda x: tg.fold(tg.unfold(x, 3, padding=1, stride=2), (7, 6), 3, padding=1, stride=2),
    "interpolate": lambda x: tg.interpolate(x, 9, mode="bilinear"),
    "interpolate, corners": lambda x: tg.interpolate(
        x, scale_factor=1.7, mode="bicubic", align_corners=True
    ),
    "interpolate, cubic": lambda x: tg.interpolate(x, scale_factor=(0.6, 2.0), mode="bicubic"),
    "interpolate, nearest": lambda x: tg.interpolate(x, scale_factor=2),
    "interpolate, exact": lambda x: tg.interpolate(x, (5, 13), mode="nearest-exact"),
    "interpolate, on borders": lambda x: tg.interpolate(x, (10, 3))[:, :, :, :2],
    "interpolate rows": lambda x: tg.interpolate(x[:, 0], scale_factor=1.3, mode="linear"),
    "interpolate volumes": lambda x: tg.interpolate(x[:, None], (3, 9, 5), mode="trilinear"),
    "pixel_shuffle": lambda x: tg.pixel_shuffle(x, 2) + tg.pixel_shuffle(x[:, None], 2)[:, 0],
    "pixel_unshuffle": lambda x: tg.pixel_unshuffle(x[:, :, 1:], 2),
    "unfold2d": lambda x: tg.unfold2d(x, kernel=(3, 2), stride=(2, 1)),
    "max_pool2d": lambda x: tg.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    "max_pool2d, dilated": lambda x: tg.max_pool2d(x, 2, 1, dilation=2),
    "avg_pool2d": lambda x: tg.avg_pool2d(x, 3, 2, 1),
    "avg_pool2d without padding": lambda x: tg.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "avg_pool2d, reaching over": lambda x: tg.avg_pool2d(x, 2, 2, ceil_mode=True),
    "avg_pool2d by another divisor": lambda x: tg.avg_pool2d(
        x, 3, 2, 1, ceil_mode=True, count_include_pad=False, divisor_override=5
    ),
    "adaptive, equal windows": lambda x: tg.adaptive_avg_pool2d(x, (7, 3)),
    "adaptive_avg_pool2d": lambda x: tg.adaptive_avg_pool2d(x, (3, 4)),
    "adaptive_max_pool2d": lambda x: tg.adaptive_max_pool2d(x, (3, 4)),
    "global pools": lambda x: tg.global_avg_pool(x) + tg.global_max_pool(x),
    "group_norm": lambda x: tg.group_norm(x, 2, numbers(4), numbers(4)),
    "instance_norm": lambda x: tg.instance_norm(x, weight=numbers(4), bias=numbers(4), eps=0.1),
    "local_response_norm": lambda x: tg.local_response_norm(x, 3, 0.5, k=2.0),
    "local_response_norm of two": lambda x: tg.local_response_norm(x, 2, 0.5),
    "batch_norm": lambda x: tg.batch_norm(x, numbers(4), numbers(4) ** 2, numbers(4), numbers(4)),
    "batch_norm alone": lambda x: tg.batch_norm(x, numbers(4), numbers(4) ** 2),
}


@pytest.mark.parametrize("name", CASES)
def test_an_op(name, tmp_path):
    check(Computes(CASES[name]), tmp_path / "op.onnx", X, X[:1], numbers(5, 3, 4))


@pytest.mark.parametrize("name", IMAGES)
def test_an_op_on_images(name, tmp_path):
    check(Computes(IMAGES[name]), tmp_path / "op.onnx", IMAGE, IMAGE[:1])


def test_a_single_example(tmp_path):
    layers = Computes(
        lambda x: tg.max_pool2d(tg.conv2d(x, numbers(6, 4, 3, 3)), 2).reshape(-1),
    )
    check(layers, tmp_path / "one.onnx", IMAGE[0], IMAGE[1])


def test_every_op_is_written_or_known_not_to_be():
    assert tg.OPS.keys() - WRITERS.keys() == LOSSES | GRADIENTS | TRAINING


# --- the file --------------------------------------------------------------------------------


def test_names_and_batch(tmp_path):
    path = tmp_path / "lenet.onnx"
    built = tg.models.LeNet().train()
    tg.to_onnx(built, path, numbers(1, 1, 28, 28))
    assert built.training
    assert built.features.training
    graph = onnx.load(path).graph
    assert dict(built.named_parameters()).keys() <= {tensor.name for tensor in graph.initializer}
    assert graph.input[0].name == "input"
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert graph.output[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert "/features/conv1/Conv" in {n.name for n in graph.node}


def test_several_inputs_and_outputs(tmp_path):
    both = Computes(lambda a, b: {"total": a + b, "parts": (a * b, a)})
    tg.to_onnx(both, tmp_path / "two.onnx", (X, X * 2))
    total, product, first = run(tmp_path / "two.onnx", X, X * 2)
    np.testing.assert_allclose(total, X * 3, 1e-6)
    np.testing.assert_allclose(product, X * X * 2, 1e-6)
    assert np.array_equal(first, X)
    names = [value.name for value in onnx.load(tmp_path / "two.onnx").graph.output]
    assert names == ["total", "parts", "parts_1"]


def test_a_model_of_one_batch_size_is_written_for_that_one(tmp_path):
    frozen = model([node("Reshape", "x s", "y")], {"x": (2, 3, 4)}, ["y"], s=np.array([2, 12]))
    read = tg.from_onnx(frozen)
    check(read, tmp_path / "frozen.onnx", X)
    dims = onnx.load(tmp_path / "frozen.onnx").graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in dims] == [2, 3, 4]


def test_an_imported_model_is_written_again(tmp_path):
    built = tg.models.build("resnet8")
    x = numbers(2, 1, 28, 28)
    tg.to_onnx(built, tmp_path / "one.onnx", x)
    check(tg.from_onnx(tmp_path / "one.onnx"), tmp_path / "two.onnx", x, x[:1])


def test_hooks_and_shared_parameters(tmp_path):
    layer = tg.nn.Linear(4, 4)
    built = tg.nn.Sequential(layer, tg.nn.ReLU(), layer)
    built[0].register_backward_hook(lambda *a: None)
    check(built, tmp_path / "shared.onnx", X)
    names = {tensor.name for tensor in onnx.load(tmp_path / "shared.onnx").graph.initializer}
    assert {"0.weight", "0.bias"} <= names
    assert "2.weight" not in names


# --- what is refused -------------------------------------------------------------------------


def test_an_op_without_a_writer_is_refused_by_name_and_module(tmp_path):
    cube = tg.op("cube", lambda x: x**3)
    both = tg.nn.Sequential(a=Computes(cube), b=Computes(cube), c=Computes(tg.relu))
    with pytest.raises(tg.errors.OptionError, match="cube, in a, b"):
        tg.to_onnx(both, tmp_path / "no.onnx", X)
    assert not list(tmp_path.iterdir())


def test_what_is_computed_outside_the_ops_is_refused(tmp_path):
    hidden = tg.nn.Sequential(part=Computes(lambda x: x * (x.data > 0).astype(np.float32)))
    with pytest.raises(tg.errors.OptionError, match="multiply in part: a plain array of"):
        tg.to_onnx(hidden, tmp_path / "no.onnx", X)


def test_a_number_from_the_input_is_refused(tmp_path):
    hidden = Computes(lambda x: x * float(x.data.max()))
    with pytest.raises(tg.errors.OptionError, match="a number depends on the input"):
        tg.to_onnx(hidden, tmp_path / "no.onnx", X)


def test_an_index_from_the_input_is_refused(tmp_path):
    hidden = Computes(lambda x: tg.take(x, np.argsort(x.data[0, 0]), axis=2))
    with pytest.raises(tg.errors.OptionError, match="take in Computes"):
        tg.to_onnx(hidden, tmp_path / "no.onnx", X)


@pytest.mark.parametrize(
    ("built", "example", "words"),
    [
        (len, X, "a Module is needed, got builtin"),
        (tg.nn.ReLU(), "x", "the example must be arrays or Tensors, got str"),
        (Computes(lambda x: 3), X, "the model gives int"),
    ],
)
def test_what_is_no_model_or_example(built, example, words, tmp_path):
    with pytest.raises(tg.errors.DtypeError, match=words):
        tg.to_onnx(built, tmp_path / "no.onnx", example)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(tg.errors.DataError, match="cannot be written"):
        tg.to_onnx(tg.nn.ReLU(), tmp_path / "no" / "x.onnx", X)
