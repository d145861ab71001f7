"""`from_onnx`: names, batches, residual additions, branches, and what is unknown."""

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.interop.onnx.naming import dotted, place_of
from tinygrad_cnn.interop.onnx.table import ONNX

from .onnx_models import model, node

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

X = {"x": ("N", 2, 6, 6)}


def images(n=3):
    return np.random.default_rng(n).normal(size=(n, 2, 6, 6)).astype(np.float32)


def weight(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def block_of_two():
    """A convolution, a residual block with two, and a dense layer."""
    return model(
        [
            node("Conv", "x stem.weight", "a", "/stem/Conv", pads=[1, 1, 1, 1]),
            node("Relu", "a", "h", "/act/Relu"),
            node(
                "Conv", "h block.0.conv.weight block.0.conv.bias", "b", "/block/block.0/conv/Conv"
            ),
            node("BatchNormalization", "b g b2 m v", "c", "/block/block.0/norm/BatchNormalization"),
            node("Pad", "c pads", "d", "/block/block.0/Pad"),
            node("Add", "d h", "e", "/block/block.0/Add"),
            node("Shape", "e", "s", "/Shape"),
            node("Gather", "s zero", "n", "/Gather"),
            node("Unsqueeze", "n axes", "n1", "/Unsqueeze"),
            node("Concat", "n1 rest", "shape", "/Concat", axis=0),
            node("Reshape", "e shape", "f", "/Reshape"),
            node("Gemm", "f head.weight head.bias", "y", "/head/Gemm", transB=1),
        ],
        X,
        ["y"],
        stem__weight=weight(4, 2, 3, 3),
        block__0__conv__weight=weight(4, 4, 3, 3),
        block__0__conv__bias=weight(4),
        g=weight(4),
        b2=weight(4),
        m=weight(4),
        v=np.ones(4, np.float32),
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        zero=np.array(0),
        axes=np.array([0]),
        rest=np.array([-1]),
        head__weight=weight(5, 144),
        head__bias=weight(5),
    )


def test_names_of_parameters_buffers_and_modules():
    read = tg.from_onnx(block_of_two())
    parameters = ["stem.weight", "block.0.conv.weight", "block.0.conv.bias", "g", "b2"]
    assert {name for name, _ in read.named_parameters()} == {
        *parameters,
        "head.weight",
        "head.bias",
    }
    assert {name for name, _ in read.named_buffers()} == {"m", "v"}
    names = {name for name, _ in read.named_modules()}
    assert {"stem", "block", "block.0", "block.0.conv", "block.0.norm", "head"} <= names


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_batch_of_any_size(n):
    read, x = tg.from_onnx(block_of_two()), images(n)
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = runtime.InferenceSession(block_of_two().SerializeToString())
    np.testing.assert_allclose(read(x).data, session.run(None, {"x": x})[0], 1e-4, 1e-4)


def test_nodes_carry_the_module_and_the_addition_is_a_residual_one():
    with tg.trace() as t:
        tg.from_onnx(block_of_two())(tg.Tensor(images()))
    scopes = {(e.node.op.name, e.node.scope) for e in t.events}
    assert ("conv2d", "block.0.conv") in scopes
    assert ("linear", "head") in scopes
    assert ("residual_add", "block.0") in scopes


def test_gradients_reach_every_parameter_and_split_over_paths():
    read, x = tg.from_onnx(block_of_two()), tg.Tensor(images(), requires_grad=True)
    loss = read(x).sum()
    loss.backward()
    assert all(p.grad is not None for p in read.parameters())
    assert tg.gradient_paths(loss, wrt=x).count == [1, 1]


def test_a_state_dict_goes_out_and_in():
    a, b = tg.from_onnx(block_of_two()), tg.from_onnx(block_of_two())
    b.load_state_dict({name: array * 2 for name, array in a.state_dict().items()})
    assert not np.allclose(a(images()).data, b(images()).data)


def test_a_file_is_read_as_a_model_is(tmp_path):
    onnx.save(block_of_two(), tmp_path / "two.onnx")
    read = tg.from_onnx(tmp_path / "two.onnx")
    assert np.array_equal(read(images()).data, tg.from_onnx(block_of_two())(images()).data)
    assert "two.onnx, opset 17" in repr(read)


# --- inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (images()[:, :1], tg.errors.ShapeError, r"input 'x'.*\(N, 2, 6, 6\), got \(3, 1, 6, 6\)"),
        (images()[0], tg.errors.ShapeError, "input 'x'.*declares the shape"),
        (images().astype(float), tg.errors.DtypeError, "input 'x'.*declares float32, got float64"),
    ],
)
def test_an_input_that_is_not_as_declared(x, error, words):
    with pytest.raises(error, match=words):
        tg.from_onnx(block_of_two())(x)


def test_several_inputs_and_outputs_in_order():
    add = [node("Sub", "a b", "d"), node("Add", "a b", "s")]
    read = tg.from_onnx(model(add, {"a": (2,), "b": (2,)}, ["s", "d"]))
    s, d = read(np.array([3, 4], np.float32), np.array([1, 2], np.float32))
    assert s.data.tolist() == [4, 6]
    assert d.data.tolist() == [2, 2]


# --- operators -------------------------------------------------------------------------------


HALF = {"mode": "linear"}  # from the centres of pixels, which is the default
NEAREST = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
ONE_OP = [
    ("HardSigmoid", "x", {"alpha": 1 / 6}, "hardsigmoid"),
    ("PRelu", "x slope", {}, "prelu"),
    ("Swish", "x", {}, "silu"),
    ("Reciprocal", "x", {}, "reciprocal"),
    ("InstanceNormalization", "x two two", {}, "instance_norm"),
    ("RMSNormalization", "x six", {}, "rms_norm"),
    ("LRN", "x", {"size": 3}, "local_response_norm"),
    ("Attention", "x x x", {}, "scaled_dot_product_attention"),
    ("DepthToSpace", "wide", {"blocksize": 2, "mode": "CRD"}, "pixel_shuffle"),
    ("Resize", "x _ twice", {}, "interpolate"),  # the nearest cell in ONNX's own way
    ("Resize", "x _ twice", NEAREST, "interpolate"),
    ("Resize", "x _ _ sizes", HALF, "interpolate"),
    ("Resize", "x _ _ sizes", {**HALF, "antialias": 1}, "interpolate"),  # it grows: nothing to do
    ("Resize", "x _ twice", {"mode": "cubic"}, "interpolate"),
]


@pytest.mark.parametrize(("kind", "inputs", "options", "op"), ONE_OP)
def test_an_operator_that_the_project_has_is_one_op(kind, inputs, options, op):
    made = model(
        [node(kind, inputs, "y", **options)],
        X | ({"wide": ("N", 4, 3, 3)} if "wide" in inputs else {}),
        ["y"],
        opset=24,
        slope=weight(2, 1, 1),
        two=weight(2),
        six=weight(6),
        twice=np.array([1, 1, 2, 2], np.float32),
        sizes=np.array([3, 2, 7, 9]),
    )
    given = [images(), weight(3, 4, 3, 3)][: 1 + ("wide" in inputs)]
    with tg.trace() as t:
        tg.from_onnx(made)(*map(tg.Tensor, given))
    ops = [event.node.op.name for event in t.events]
    assert [name for name in ops if name != "reshape"] == [op]  # slopes (C, 1, 1) become (C,)


def test_a_resize_that_is_no_interpolation_stays_exact():
    half = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
    made = model(
        [node("Resize", "x _ twice", "y", **half)],
        X,
        ["y"],
        twice=np.array([1, 1, 2, 2], np.float32),
    )
    y = tg.from_onnx(made)(images()).data
    assert np.array_equal(y[:, :, ::2, ::2], images())


def test_unknown_operators_are_refused_together():
    nodes = [
        node("Strange", "x", "a", "first"),
        node("Relu", "a", "b", "fine"),
        node("Strange", "b", "c", "second"),
        node("Odd", "c", "y", "third", domain="com.example"),
    ]
    with pytest.raises(tg.errors.OptionError) as caught:
        tg.from_onnx(model(nodes, X, ["y"], domains=("com.example",)))
    text = str(caught.value)
    assert "2 unknown operators" in text
    assert "Strange, 2 ×, in 'first' (Strange), 'second' (Strange)" in text
    assert "com.example.Odd, 1 ×, in 'third' (Odd)" in text
    assert "register('onnx." in text


def test_a_registered_operator(monkeypatch):
    monkeypatch.setitem(ONNX, "com.example.Scale", {})  # and no more afterwards
    tg.interop.register("onnx.com.example.Scale", lambda x, *, factor: (x * factor, x))
    nodes = [node("Scale", "x", "y z", domain="com.example", factor=3.0)]
    read = tg.from_onnx(model(nodes, X, ["y", "z"], domains=("com.example",)))
    y, z = read(images())
    assert np.array_equal(y.data, images() * 3)
    assert np.array_equal(z.data, images())


@pytest.mark.parametrize("name", ["Foo", "onnx.", "jax.sin", 3])
def test_what_cannot_be_registered(name):
    with pytest.raises(tg.errors.OptionError, match="is needed"):
        tg.interop.register(name, abs)


def test_an_aten_call_is_registered():
    from tinygrad_cnn.interop.aten.table import ATEN

    tg.interop.register("aten.test_only", abs)
    assert ATEN.pop("test_only.default") is abs


def test_an_attribute_that_an_operator_does_not_have():
    with pytest.raises(tg.errors.DataError, match=r"node 'act' \(Relu\).*slope"):
        tg.from_onnx(model([node("Relu", "x", "y", "act", slope=1)], X, ["y"]))


def test_an_older_opset():
    with pytest.raises(tg.errors.OptionError, match="opset 11 is older than 13"):
        tg.from_onnx(model([node("Relu", "x", "y")], X, ["y"], opset=11))


# --- branches --------------------------------------------------------------------------------


def branch(nodes, output):
    value = onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
    return onnx.helper.make_graph(nodes, "branch", [], [value])


def chosen(condition):
    nodes = [
        *condition,
        node(
            "If",
            "c",
            "y",
            then_branch=branch([node("Relu", "x", "t")], "t"),
            else_branch=branch([node("Neg", "x", "e")], "e"),
        ),
    ]
    return model(nodes, X, ["y"], five=np.array(5), zero=np.array(0))


def test_a_branch_by_a_constant_stands_in_its_place():
    value = onnx.numpy_helper.from_array(np.array(False))
    read = tg.from_onnx(chosen([node("Constant", "", "c", value=value)]))
    assert [call.name for call in read._program.calls][-1].endswith("(Neg)")
    assert np.array_equal(read(images()).data, -images())


def test_a_branch_by_a_computed_condition():
    condition = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n"),
        node("Less", "n five", "c"),
    ]
    read = tg.from_onnx(chosen(condition))
    assert np.array_equal(read(images(3)).data, np.maximum(images(3), 0))
    assert np.array_equal(read(images(7)).data, -images(7))


def test_functions_of_the_model_are_written_out():
    helper = onnx.helper
    twice = helper.make_function(
        "own", "Twice", ["a"], ["b"], [node("Add", "a a", "b")], [helper.make_opsetid("", 17)]
    )
    made = model([node("Twice", "x", "y", domain="own")], X, ["y"], domains=("own",))
    made.functions.append(twice)
    assert np.array_equal(tg.from_onnx(made)(images()).data, images() * 2)


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/features/features.0/features.0.0/Conv", "features.0.0"),
        ("/encoder/layers/layers.0/mlp/mlp.3/MatMul", "encoder.layers.0.mlp.3"),
        ("model/conv2d/Conv2D", "model.conv2d"),
        ("/Relu", ""),
        ("Conv_17", ""),
        ("/training/_x/Conv", "training_._x_"),
    ],
)
def test_the_module_of_a_node(name, module):
    assert place_of(node("Conv", "", "y", name), []).module == module


def test_without_a_path_the_weights_say_where_a_node_is():
    place = place_of(node("Conv", "", "y", "Conv_1"), ["a.b.weight", "a.b.bias"])
    assert place.module == "a.b"


def test_what_torch_s_exporter_writes_about_a_node():
    made = node("Conv", "", "y", "node_conv2d")
    for key, value in {
        "pkg.torch.onnx.name_scopes": "['', 'layer1', 'layer1.0', 'conv2d']",
        "pkg.torch.onnx.class_hierarchy": "['net.Net', 'torch.nn.Sequential', 'net.Block', 'aten']",
        "pkg.torch.onnx.stack_trace": 'File "/a/net.py", line 12, in forward\n  y = f(x)',
    }.items():
        made.metadata_props.add(key=key, value=value)
    place = place_of(made, [])
    assert place.module == "layer1.0"
    assert place.kinds["layer1.0"] == "Block"
    assert place.source == ("/a/net.py", 12)


@pytest.mark.parametrize(
    ("name", "own"),
    [("forward", "forward_"), ("a..b", "a//b"), ("onnx::Conv_1", "onnx::Conv_1"), ("", "")],
)
def test_names_that_a_module_cannot_have(name, own):
    assert dotted(name) == own


def test_a_tensor_and_a_module_of_one_name():
    nodes = [node("Mul", "x a", "h", "/b/Mul"), node("Mul", "h a.b", "y", "/a/c/Mul")]
    made = model(nodes, X, ["y"], a=weight(6), a__b=weight(6))
    read = tg.from_onnx(made)
    assert {name for name, _ in read.named_parameters()} == {"a_", "a.b"}
    wanted = images() * weight(6) * weight(6)
    np.testing.assert_allclose(read(images()).data, wanted, 1e-5)


# --- without the package ---------------------------------------------------------------------


def test_without_onnx_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import tinygrad_cnn as tg\n"
        "try: tg.from_onnx('x.onnx')\n"
        "except tg.errors.OptionError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'tinygrad_cnn[onnx]'" in run.stdout
