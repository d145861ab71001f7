"""Other people's networks as ours: from PyTorch and ONNX, and to ONNX.

`program.py` is what every importer makes: calls in order, and the Module that runs them.
"""

from .exported import from_torch
from .onnx.reading import from_onnx
from .onnx.writing import to_onnx
from .program import InputType, input_types
from .registering import register

__all__ = ["InputType", "from_onnx", "from_torch", "input_types", "register", "to_onnx"]
