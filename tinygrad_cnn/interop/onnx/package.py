"""The package onnx, loaded when a file is read or written."""

from __future__ import annotations

from typing import Any

from ...errors import OptionError


def load_onnx(caller: str) -> Any:
    """The package.

    Raises:
        OptionError: it is not installed.
    """
    try:
        import onnx
        import onnx.inliner
    except ImportError as error:
        raise OptionError(
            f"{caller}: the package onnx is needed: pip install 'tinygrad_cnn[onnx]'"
        ) from error
    return onnx
