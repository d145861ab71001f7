"""`Tensor`: an array whose computation is recorded. A thin handle on a node of the graph.

Its operators and methods (``x + y``, ``x.sum()``, ``x[0]`` ...) are ops; `ops.operators` gives
them to it in one table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DtypeError, GraphError, ShapeError
from . import defaults
from .backward import backward
from .context import current_mode
from .hooks import Hook, on_gradient
from .memory import is_frozen
from .node import Handle, Node


class Tensor(Handle):
    """An array, and what it was computed from.

    Args:
        data: an array, a number, or nested lists; copied unless `copy` is False.
        dtype: of the values; NumPy arrays keep theirs, Python numbers and lists get the default
            dtype (float32).
        requires_grad: whether `backward` should compute a gradient for it.
        name: shown in pictures and errors.
        copy: False shares memory that nobody can write to: another Tensor's ``.data``, bytes, a
            file mapped for reading. All other data is copied in any case: if the program wrote to
            it later, gradients would silently be wrong.

    Raises:
        DtypeError: requires_grad with a dtype that is not floating, or data that is not numeric.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        Tensor([2., 4., 6.])
    """

    __slots__ = ()
    __array_ufunc__ = None  # so that array * Tensor asks the Tensor
    is_single = False
    role = "input"

    def __init__(
        self,
        data: Any,
        dtype: Any = None,
        requires_grad: bool = False,
        name: str | None = None,
        copy: bool = True,
    ) -> None:
        array = _as_array(data, dtype, copy)
        if requires_grad:
            _must_be_floating(array.dtype)
        self.node = Node(array, needs_grad=requires_grad, role=self.role, name=name)

    # --- values ------------------------------------------------------------------------------

    @property
    def data(self) -> np.ndarray[Any, Any]:
        """The values, as a read-only array. Assign to it to change them."""
        return np.asarray(memoryview(np.asarray(self.node.value)).toreadonly())  # type: ignore[arg-type]

    @data.setter
    def data(self, value: Any) -> None:
        self._replace(value, "data")

    def _replace(self, value: Any, what: str) -> None:
        self.node.replace_value(self._like(value, what))

    def _like(self, value: Any, what: str) -> np.ndarray[Any, Any]:
        """New values for `what`, of this Tensor's shape and dtype."""
        array = _numeric(value, what)
        if array.shape != self.shape:
            raise ShapeError(
                f"{what}: this Tensor has shape {self.shape}, the new values {array.shape}"
            )
        if not np.can_cast(array.dtype, self.dtype, "same_kind"):
            raise DtypeError(f"{what}: {array.dtype} values do not fit into {self.dtype}")
        return np.array(array, self.dtype)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The values, as a read-only array; copy it to change it."""
        return self.data

    def item(self) -> Any:
        """The one number that this Tensor holds.

        Raises:
            ShapeError: it holds none or several.
        """
        if self.size != 1:
            raise ShapeError(f"item: a Tensor of one number is needed, got shape {self.shape}")
        return self.data.item()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.node.value.shape

    @property
    def ndim(self) -> int:
        return self.node.value.ndim

    @property
    def size(self) -> int:
        return self.node.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.node.value.dtype

    @property
    def name(self) -> str | None:
        return self.node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self.node.name = name

    # --- gradients ---------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to, or through, this Tensor. May be set on leaves."""
        return self.node.needs_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.node.op is not None and self.node.needs_grad:
            raise GraphError(
                f"requires_grad can be set on leaves only; this is {self.node.describe()}: "
                "use detach()"
            )
        if wanted:
            _must_be_floating(self.dtype)
        self.node.needs_grad = bool(wanted)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up here; None if none arrived yet.

        Kept by leaves, after `retain_grad()`, and inside a trace.
        """
        kept = self.node.grad
        return None if kept is None else Tensor.of(Node(kept, role="input"))

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self.node.grad = None
            return
        self.node.grad = self._like(value, "grad")

    def backward(self, grad: Any = None, *, free_graph: bool = False) -> None:
        """See `tinygrad_cnn.backward`."""
        backward(self, grad, free_graph=free_graph)

    def retain_grad(self) -> Tensor:
        """Keep `.grad` here although this is no leaf. Returns itself."""
        self.node.keeps_grad = True
        return self

    def register_hook(self, function: Callable[[Tensor], Tensor | None]) -> Hook:
        """Call a function with the gradient that arrives here, once it is summed up.

        What the function returns takes its place, in `.grad` and for earlier ops; None changes
        nothing. In a recorded pass (``create_graph=True``) it sees, and returns, recorded Tensors.

        Returns:
            A `Hook`; its ``remove()`` ends it.

        Raises:
            GraphError: this Tensor needs no gradient.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor([3.0], requires_grad=True)
            >>> hook = x.register_hook(lambda g: g * 10)
            >>> (x * 2).backward()
            >>> x.grad
            Tensor([20.])
            >>> hook.remove()
        """
        return on_gradient(self.node, function, Tensor)

    def detach(self) -> Tensor:
        """The same values without their history."""
        return Tensor.of(Node(self.node.value, role="input", name=self.name))

    # --- Python ------------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.shape:
            raise DtypeError("len: a Tensor of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"the truth of a Tensor of shape {self.shape} is ambiguous: "
                "compare, then use .all() or .any()"
            )
        return bool(self.node.value)

    def __float__(self) -> float:
        return float(self.item())

    def __format__(self, spec: str) -> str:
        """``f"{loss:.3f}"`` formats a single number; several have no format, only a ``repr``."""
        return format(self.item(), spec) if spec else repr(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self.requires_grad and current_mode().recording:
            raise GraphError(
                "NumPy cannot see gradients: use an op of tinygrad_cnn, or .numpy() for the values"
            )
        return np.array(self.data, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=200)
        extra = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        extra += f", name={self.name!r}" if self.name else ""
        extra += ", requires_grad=True" if self.requires_grad and not self.node.op else ""
        extra += f", op={self.node.op.name}" if self.node.op and self.requires_grad else ""
        return f"Tensor({text}{extra})"

    if TYPE_CHECKING:  # given to Tensor by ops/operators.py

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __getitem__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __lt__(self, other: Any) -> np.ndarray[Any, Any]: ...
        def __le__(self, other: Any) -> np.ndarray[Any, Any]: ...
        def __gt__(self, other: Any) -> np.ndarray[Any, Any]: ...
        def __ge__(self, other: Any) -> np.ndarray[Any, Any]: ...
        @property
        def T(self) -> Tensor: ...
        def __getattr__(self, name: str) -> Callable[..., Tensor]: ...


Tensor.grain = Tensor


def _numeric(data: Any, what: str) -> np.ndarray[Any, Any]:
    """The data as an array, without a cast: a cast would turn None and strings into numbers."""
    if isinstance(data, Handle):
        data = data.node.value
    try:
        array = np.asarray(data)
    except (ValueError, TypeError) as error:
        raise DtypeError(f"{what}: cannot make a numeric array of this data: {error}") from error
    _must_be_real(array.dtype, what)
    return array


def _as_array(data: Any, dtype: Any, copy: bool) -> np.ndarray[Any, Any]:
    """What a Tensor holds: an array that cannot be written to."""
    given = _numeric(data, "Tensor")
    if dtype is None and not isinstance(data, Handle | np.ndarray | np.generic):
        dtype = defaults.default_dtype()
    wanted = given.dtype if dtype is None else np.dtype(dtype)
    _must_be_real(wanted)
    shared = not copy and is_frozen(given)
    array = np.array(given, wanted, copy=None if shared else True)
    array.flags.writeable = False
    return array


def _must_be_real(dtype: np.dtype[Any], what: str = "Tensor") -> None:
    if dtype.kind not in "fiub":
        raise DtypeError(f"{what}: real numbers are needed, got dtype {dtype}")


def _must_be_floating(dtype: np.dtype[Any]) -> None:
    if dtype.kind != "f":
        raise DtypeError(
            f"requires_grad: only floating values have gradients, this Tensor is {dtype}; "
            "make it with dtype=np.float32"
        )
