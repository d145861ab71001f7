"""Small models of ONNX, written node by node, and how two results are compared."""

from __future__ import annotations

from typing import Any

import numpy as np


def model(
    nodes: list[Any],
    inputs: dict[str, tuple[Any, ...]],
    outputs: list[str],
    opset: int = 17,
    domains: tuple[str, ...] = (),
    dtype: int = 1,
    **tensors: Any,
) -> Any:
    """A model of these nodes; names of tensors are written with __ for a dot."""
    import onnx  # it may not be installed: then the tests that need it are skipped

    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, dtype, None) for name in outputs],
        [
            onnx.numpy_helper.from_array(np.asarray(array), name.replace("__", "."))
            for name, array in tensors.items()
        ],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets)


def node(kind: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> Any:
    """A node; inputs and outputs are separated by spaces, and _ is one that is left out."""
    import onnx

    given = ["" if part == "_" else part for part in inputs.split()]
    return onnx.helper.make_node(kind, given, outputs.split(), name=name, **attributes)
