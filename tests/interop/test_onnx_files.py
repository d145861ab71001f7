"""Files that are large, damaged or hostile: they work, or one error names the file and the node."""

import numpy as np
import pytest

import tinygrad_cnn as tg

from .onnx_models import model, node

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

DataError, ShapeError = tg.errors.DataError, tg.errors.ShapeError
X = {"x": ("N", 3)}
x = np.ones((2, 3), np.float32)


def saved(made, tmp_path, name="net.onnx", **options):
    onnx.save_model(made, tmp_path / name, **options)
    return tmp_path / name


def doubled(array=None):
    """x times a weight."""
    return model(
        [node("Mul", "x w", "y", "/scale/Mul")], X, ["y"], w=x[0] if array is None else array
    )


# --- damaged ---------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no model", bytes(range(256)), b"\x08" * 1000])
def test_what_is_no_model(content, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"net.onnx: is damaged, or no file of ONNX"):
        tg.from_onnx(path)


@pytest.mark.parametrize("path", ["missing.onnx", "."])
def test_what_cannot_be_read(path, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        tg.from_onnx(tmp_path / path)


def test_what_is_neither_path_nor_model():
    with pytest.raises(tg.errors.DtypeError, match=r"a path or an onnx.ModelProto is needed"):
        tg.from_onnx(3)


def test_a_file_that_breaks_off(tmp_path):
    path = saved(doubled(np.ones((100, 3), np.float32)), tmp_path)
    whole = path.read_bytes()
    for part in range(1, len(whole), 7):
        path.write_bytes(whole[:part])
        with pytest.raises(tg.errors.TinygradError, match=r"net.onnx"):
            tg.from_onnx(path)(x)


def test_flipped_bytes_work_or_are_refused(tmp_path):
    built = tg.nn.Sequential(
        tg.nn.Conv2d(1, 3, 3), tg.nn.MaxPool2d(2), tg.nn.Flatten(), tg.nn.Linear(27, 2)
    )
    path, image = tmp_path / "net.onnx", np.ones((2, 1, 8, 8), np.float32)
    tg.to_onnx(built, path, image)
    whole, random, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] = random.integers(256)
        path.write_bytes(damaged)
        try:
            tg.from_onnx(path)(image)
        except tg.errors.TinygradError as error:
            assert "net.onnx" in str(error)  # noqa: PT017
            refused += 1
    assert refused > 30


# --- graphs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (
            [node("Add", "x b", "a", "first"), node("Relu", "a", "b", "second")],
            r"node 'first' \(Add\): its input 'b' is computed later: the graph has a cycle",
        ),
        ([node("Add", "x nowhere", "y", "lost")], r"'lost' \(Add\): its input 'nowhere' is not in"),
        (
            [node("Relu", "x", "y", "one"), node("Neg", "x", "y", "two")],
            r"'two' \(Neg\): 'y' is computed twice",
        ),
        ([node("Relu", "x", "z")], "output 'y' is not computed"),
        ([node("Conv", "x", "y", "bare")], r"'bare' \(Conv\): inputs or attributes do not fit"),
        ([node("If", "x", "y", "half")], r"'half' \(If\): a condition, then_branch and else"),
    ],
)
def test_graphs_that_make_no_sense(nodes, words, tmp_path):
    with pytest.raises(DataError, match=f"net.onnx: .*{words}"):
        tg.from_onnx(saved(model(nodes, X, ["y"]), tmp_path))


def test_functions_that_call_each_other_without_end():
    helper, opset = (
        onnx.helper,
        [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("f", 1)],
    )
    made = model([node("F40", "x", "y", domain="f")], X, ["y"], domains=("f",))
    for i in range(41):
        inner = [node("Neg", "a", "b"), node("Neg", "b", "c")]
        if i:
            kind = f"F{i - 1}"
            inner = [node(kind, "a", "b", domain="f"), node(kind, "b", "c", domain="f")]
        made.functions.append(helper.make_function("f", f"F{i}", ["a"], ["c"], inner, opset))
    with pytest.raises(DataError, match="its functions call each other"):
        tg.from_onnx(made)


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [(2**40, 2**20), (-3,), (4,), (2**62, 2**62)])
def test_a_tensor_whose_shape_its_numbers_do_not_fit(dims, tmp_path):
    made = doubled()
    del made.graph.initializer[0].dims[:]
    made.graph.initializer[0].dims.extend(dims)
    with pytest.raises(DataError, match=r"net.onnx: tensor 'w'"):
        tg.from_onnx(saved(made, tmp_path))


ABSURD = {
    "ConstantOfShape": (node("ConstantOfShape", "s", "y", "n"), np.array([2**20, 2**20])),
    "Expand": (node("Expand", "x s", "y", "n"), np.array([2**40, 1, 3])),
    "Tile": (node("Tile", "x s", "y", "n"), np.array([2**31, 2**31])),
    "Pad": (node("Pad", "x s", "y", "n"), np.array([0, 2**40, 0, 0])),
    "Reshape": (node("Reshape", "x s", "y", "n"), np.array([-2, 2**60])),
    "Resize": (node("Resize", "x _ s", "y", "n"), np.array([1, 1e12], np.float32)),
    "OneHot": (node("OneHot", "s d v", "y", "n"), np.array([0])),
    "Range": (node("Range", "z d o", "y", "n"), np.array(0)),
    "Conv": (node("Conv", "i k", "y", "n", pads=[2**40] * 2), np.array(0)),
    "MaxPool": (node("MaxPool", "i", "y", "n", kernel_shape=[2**33]), np.array(0)),
    "AveragePool": (
        node("AveragePool", "i", "y", "n", kernel_shape=[3], pads=[2**40, 0]),
        np.array(0),
    ),
    "ConvTranspose": (node("ConvTranspose", "i k", "y", "n", strides=[2**40]), np.array(0)),
}


@pytest.mark.parametrize("kind", ABSURD)
def test_absurd_sizes(kind, tmp_path):
    made, s = ABSURD[kind]
    path = saved(
        model(
            [made],
            X,
            ["y"],
            opset=18,
            s=s,
            z=np.array(0),
            o=np.array(1),
            d=np.array(2**50),
            v=np.array([0.0, 1.0], np.float32),
            i=np.ones((1, 1, 5), np.float32),
            k=np.ones((1, 1, 3), np.float32),
        ),
        tmp_path,
    )
    with pytest.raises(tg.errors.TinygradError, match=rf"net.onnx: node 'n' \({kind}\)"):
        tg.from_onnx(path)(x)


def test_an_error_while_running_names_file_node_and_module(tmp_path):
    read = tg.from_onnx(saved(doubled(np.ones((4, 5), np.float32)), tmp_path))
    with pytest.raises(
        ShapeError, match=r"net.onnx: node '/scale/Mul' \(Mul\): multiply"
    ) as caught:
        read(x)
    assert "of scale" in caught.value.__notes__[0]


def test_other_dtypes_are_refused_by_name(tmp_path):
    made = doubled()
    made.graph.initializer[0].data_type = onnx.TensorProto.BFLOAT16
    with pytest.raises(tg.errors.DtypeError, match=r"net.onnx: tensor 'w' is of type BFLOAT16"):
        tg.from_onnx(saved(made, tmp_path))


# --- tensors in files of their own -----------------------------------------------------------


def beside(tmp_path, **changes):
    """A model whose weight is in a file beside it, with some entries changed."""
    path = saved(
        doubled(np.arange(3000, dtype=np.float32).reshape(1000, 3)),
        tmp_path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    made = onnx.load(path, load_external_data=False)
    entries = {e.key: e.value for e in made.graph.initializer[0].external_data} | changes
    del made.graph.initializer[0].external_data[:]
    for key, value in entries.items():
        made.graph.initializer[0].external_data.add(key=key, value=value)
    path.write_bytes(made.SerializeToString())
    return path


def test_a_tensor_in_a_file_of_its_own(tmp_path):
    read = tg.from_onnx(beside(tmp_path))
    assert np.array_equal(read.w.data, np.arange(3000, dtype=np.float32).reshape(1000, 3))


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "", "link"])
def test_a_way_out_of_the_folder(location, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(bytes(12000))
    (inside / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match=r"net.onnx: tensor 'w'.*outside the model's folder"):
        tg.from_onnx(beside(inside, location=location))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"location": "missing.bin"}, "there is no file"),
        ({"offset": "8"}, "12000 from 8 on"),
        ({"offset": "-8"}, "from -8 on"),
        ({"length": "4"}, "names 4 from 0"),
        ({"length": "many"}, "invalid literal"),
    ],
)
def test_a_file_beside_it_that_does_not_fit(changes, words, tmp_path):
    with pytest.raises(DataError, match=rf"net.onnx: tensor 'w'.*{words}"):
        tg.from_onnx(beside(tmp_path, **changes))


def test_a_model_without_its_path_has_no_files_beside_it(tmp_path):
    made = onnx.load(beside(tmp_path), load_external_data=False)
    with pytest.raises(DataError, match="give from_onnx the path"):
        tg.from_onnx(made)


# --- large -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("external", [False, True])
def test_a_model_of_a_hundred_megabytes(external, tmp_path):
    weight = np.random.default_rng(0).normal(size=(5000, 5000)).astype(np.float32)
    made = model([node("Gemm", "x w", "y", transB=1)], {"x": ("N", 5000)}, ["y"], w=weight)
    options = {"save_as_external_data": True, "location": "w.bin"} if external else {}
    path = saved(made, tmp_path, **options)
    given = np.ones((2, 5000), np.float32)
    y = tg.from_onnx(path)(given)
    np.testing.assert_allclose(y.data, given @ weight.T, 1e-3, 1e-3)
