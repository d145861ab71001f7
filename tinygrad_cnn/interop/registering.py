"""`register`: a function of yours for a call of another library that is unknown here."""

from __future__ import annotations

from ..errors import DtypeError, OptionError
from .aten.table import ATEN
from .onnx.table import ONNX, Function


def register(call: str, function: Function) -> None:
    """Say what computes an operator of ONNX or of PyTorch's ATen library; the latest one counts.

    Args:
        call: as ``onnx.Foo`` (of another domain than ONNX's own: ``onnx.com.microsoft.Foo``), or
            as ``aten.foo.default``; ``aten.foo`` is the same.
        function: gets Tensors where a gradient may flow, else plain arrays; None for an input that
            is left out. Of ONNX: the inputs in order, attributes by name. Of ATen: the arguments as
            ATen orders and names them.

    Raises:
        OptionError: the call is of neither library.
        DtypeError: the function cannot be called.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.interop.register("onnx.com.example.Triple", lambda x: x * 3)
    """
    if not callable(function):
        raise DtypeError(f"register: a function is needed, got {type(function).__name__}")
    library, _, name = call.partition(".") if isinstance(call, str) else ("", "", "")
    if library == "onnx" and name:
        ONNX[name] = {1: function}
    elif library == "aten" and name:
        ATEN[name if "." in name else f"{name}.default"] = function
    else:
        raise OptionError(f"register: 'onnx.Name' or 'aten.name' is needed, got {call!r}")
