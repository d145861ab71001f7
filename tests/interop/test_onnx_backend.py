"""ONNX's own node tests, which say what each operator computes, forward."""

import warnings
from collections import Counter

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.interop.onnx.table import DTYPES, OLDEST

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

AT_LEAST = 1100  # of some 1,880; each version of ONNX has a few more

# Random numbers, which only the dropped share of could be compared.
RANDOM = {"test_training_dropout", "test_training_dropout_default"}
RANDOM |= {f"{name}_mask" for name in RANDOM}

# What is refused although the operator is known, by a part of the test's name.
WITHOUT = (
    "qk_matmul",  # Attention: its products as a further output
    "with_past",  # a cache of earlier keys and values
    "nonpad",
    "padded_kv",
    "window",
    "ext_cache",
)


def arrays(values):
    return [onnx.numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]


def is_supported(case):
    """Whether all operators are known, and all arrays of dtypes that are computed with here."""
    graph = case.model.graph
    kinds = [value.type for value in (*graph.input, *graph.output)]
    numbers = [kind.tensor_type.elem_type for kind in kinds if kind.HasField("tensor_type")]
    casts = [a.i for node in graph.node for a in node.attribute if a.name in ("to", "dtype")]
    return len(numbers) == len(kinds) and all(code in DTYPES for code in (*numbers, *casts))


def check(case, module):
    for inputs, outputs in case.data_sets:
        result = module(*map(tg.Tensor, arrays(inputs)))
        results = result if isinstance(result, tuple) else (result,)
        for got, wanted in zip(results, arrays(outputs), strict=True):
            assert got.shape == np.shape(wanted)
            assert got.dtype == wanted.dtype
            rounding = 2 * float(np.finfo(got.dtype).eps) if got.dtype.kind == "f" else 0
            np.testing.assert_allclose(got.data, wanted, max(case.rtol, rounding), case.atol)


@pytest.mark.slow
def test_onnx_s_own_node_tests():
    from onnx.backend.test.case.node import collect_testcases

    told, wrong = Counter(), []
    with warnings.catch_warnings():  # the cases themselves divide by 0
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
        for case in cases:
            if not is_supported(case):
                told["of another dtype"] += 1
                continue
            for opset in case.model.opset_import:
                if opset.domain in ("", "ai.onnx"):  # an older one defines the operator as 13 does
                    opset.version = max(opset.version, OLDEST)
            try:
                module = tg.from_onnx(case.model)
                if case.name in RANDOM:
                    told["random"] += 1
                    continue
                check(case, module)
                told["passed"] += 1
            except tg.errors.TinygradError as error:
                unknown = "unknown operator" in str(error)
                if not unknown and not any(part in case.name for part in WITHOUT):
                    wrong.append((case.name, str(error)))
                told["unknown operator" if unknown else "refused"] += 1
            except AssertionError as error:
                wrong.append((case.name, str(error)))
    print(f"{len(cases)} node tests of ONNX {onnx.__version__}: {dict(told)}")
    assert not wrong
    assert told["passed"] >= AT_LEAST
