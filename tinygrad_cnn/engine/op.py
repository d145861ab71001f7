"""How an op is declared: the built-in ones and your own in the same way.

    @op
    def swish(x):                     # forward: plain arrays in, a plain array out
        return x / (1 + np.exp(-x))

    @swish.vjp
    def _(g, y, x):                   # g: gradient at the output y; returns the gradient at x
        s = sigmoid(x)
        return g * (s + y * (1 - s))

The forward's positional parameters are its inputs, its keyword-only ones are static options:

- ``def f(x, w, b=None, *, stride=1)``: `b` may be left out; no gradient is then computed for it.
- ``def f(*arrays, axis=0)``: a sequence input; called as ``f([a, b, c], axis)``.
- Several outputs: return a tuple. The vjp then gets tuples `g` and `y`; in `g`, None stands for
  an output that no gradient reached.

The vjp is one function for all inputs, which returns a tuple of gradients (None: no gradient). Or
it is one function per input, ``f.vjp(vjp_x, vjp_w, None)``; each is called only if its input needs
a gradient. A vjp gets the cotangent, the output, the inputs, and the options by keyword.

An op called on plain arrays computes a plain array; on Tensors or Scalars it also records a node.
Backward calls the vjp with plain arrays, which is as fast as NumPy. To record the gradients
themselves, it calls the vjp with Tensors. A vjp written with ops therefore has all higher
derivatives.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DtypeError, GraphError, OptionError, ShapeError, TinygradError
from .batch import Batch
from .context import current_mode
from .definition import broadcast_index
from .memory import never_changes, snapshot
from .node import Constant, Handle, Node, next_serial

Shape = tuple[int, ...]
_PLAIN = (np.ndarray, np.generic, float, int)
MOST_PASSED = 256  # checked calls that an op remembers


class Cost(NamedTuple):
    """What one call costs, from shapes alone."""

    multiply_adds: int
    bytes: int


def constant(x: Any) -> Any:
    """The plain value of a vjp's argument, to compute a constant from it: a mask or an index."""
    return x.node.value if isinstance(x, Handle) else x


def has_gradient(value: Any) -> bool:
    """Whether a value can have a gradient: it is floating, or a tuple with a floating part."""
    if type(value) is np.ndarray:
        return value.dtype.kind == "f"
    if type(value) is tuple:
        return any(map(has_gradient, value))
    return type(value) is float or np.asarray(value).dtype.kind == "f"


class Op:
    """A differentiable function: its forward, vjp, definition and cost. Make one with `op`."""

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        *,
        elementwise: bool = False,
        single: Callable[..., float] | None = None,
        symbol: str | None = None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.elementwise = elementwise
        self.symbol = symbol or name
        self._single = single or forward
        self.vjps: tuple[Callable[..., Any] | None, ...] = ()
        self._check: Callable[..., Mapping[str, Any]] | None = None
        self._passed: dict[Any, tuple[dict[str, Any], dict[str, Any]]] | None = None
        self.batch: Batch | None = None
        self._definition: Callable[..., Any] | None = None
        self._multiply_adds: Callable[..., int] | None = None
        self.stacked: Callable[..., Any] | None = None  # how the vjp takes a stack: see stacked.py
        self._read_signature(forward)
        self.__name__ = name
        self.__doc__ = forward.__doc__
        self.__module__ = getattr(forward, "__module__", None) or __name__
        self.__wrapped__ = forward

    def _read_signature(self, forward: Callable[..., Any]) -> None:
        self.inputs: tuple[str, ...] = ()
        self.optional: dict[str, Any] = {}  # inputs that may be left out, and their defaults
        self.variadic = False
        self.options: tuple[str, ...] = ()
        self.defaults: dict[str, Any] = {}
        self._options: frozenset[str] = frozenset()
        if isinstance(forward, np.ufunc):
            self.inputs = ("x",) if forward.nin == 1 else ("a", "b")
            return
        for name, parameter in inspect.signature(forward).parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.variadic = True
            elif parameter.kind is parameter.VAR_KEYWORD:
                raise OptionError(f"{self.name}: name each option; **{name} cannot be recorded")
            elif parameter.kind is parameter.KEYWORD_ONLY:
                self.options += (name,)
                if parameter.default is not parameter.empty:
                    self.defaults[name] = parameter.default
            else:
                self.inputs += (name,)
                if parameter.default is not parameter.empty:
                    self.optional[name] = parameter.default
        self._options = frozenset(self.options)

    # --- declaring -------------------------------------------------------------------------

    def vjp(self, *functions: Callable[..., Any] | None) -> Op:
        """Declare the vector-Jacobian product: one function for all inputs, or one for each.

        Raises:
            OptionError: the number of functions fits neither one nor the number of inputs.
        """
        if not self.variadic and len(functions) not in {1, len(self.inputs)}:
            raise OptionError(
                f"{self.name}.vjp: expected 1 function (for all inputs) or {len(self.inputs)} "
                f"(one each for {', '.join(self.inputs)}), got {len(functions)}"
            )
        self.vjps = functions
        return self

    def check(self, function: Callable[..., Mapping[str, Any]]) -> Op:
        """Declare a check, called like the forward: it raises, or returns canonical options."""
        self._check = function
        return self

    # If the check runs at every call, a convolution of two images of 4×4 takes 1.25 times as long,
    # and pooling and a gradient check of a residual block take 1.15 times as long.
    def check_shapes(self, function: Callable[..., Mapping[str, Any]]) -> Op:
        """Declare a check of shapes, dtypes and options alone; its result is remembered."""
        self._passed = {}
        return self.check(function)

    def batched(self, *inputs: str, axes: int) -> Op:
        """Declare which inputs begin with a batch axis; the first of them has `axes` axes.

        If that one comes with an axis less, they are a single example: they get the axis before
        the op is called, and the result loses it.
        """
        self.batch = Batch(tuple([self.inputs.index(name) for name in inputs]), axes)
        return self

    def definition(self, function: Callable[..., Any]) -> Op:
        """Declare the textbook formula of one output element.

        Called as ``definition(at, *inputs, **options)``. `at` is the index of the element. An
        input is indexed like an array and yields Scalars. Only arithmetic on Scalars may be used.
        """
        self._definition = function
        return self

    def multiply_adds(self, function: Callable[..., int]) -> Op:
        """Declare the cost: called as ``function(output_shape, *input_shapes, **options)``."""
        self._multiply_adds = function
        return self

    # --- calling ---------------------------------------------------------------------------

    def __call__(self, *args: Any, **options: Any) -> Any:
        try:
            if len(args) != len(self.inputs) or options or self.options:
                args, options = self._bind(args, options)
            grain = None
            needs_grad = False
            values, nodes = [], []
            for arg in args:
                if isinstance(arg, Handle):
                    arg_node = arg.node
                    nodes.append(arg_node)
                    values.append(arg_node.value)
                    needs_grad = needs_grad or arg_node.needs_grad
                    if grain is None:
                        grain = arg.grain
                    elif grain is not arg.grain:
                        raise self._mixed_grains()
                else:
                    if type(arg) is list or type(arg) is tuple:
                        arg = self._array(arg)
                    nodes.append(arg)
                    values.append(arg)
            if self.batch is not None and self.batch.is_lacking(values):
                return self.batch.of_one(self, args, options)
            if self._check is not None:
                options = self._canonical(values, options)
            forward = self._single if grain is not None and grain.is_single else self.forward
            mode = current_mode()
            if grain is not None and mode.watchers:
                return self._watched(forward, grain, nodes, values, options, needs_grad)
            try:
                value = forward(*values, **options)
            except TinygradError:
                raise
            except Exception as error:
                self._explain(error, values)
                raise
            if grain is None:
                return value
            recorded = needs_grad and mode.recording and has_gradient(value)
            return self._record(grain, nodes, value, options, recorded)
        except Exception as error:
            for watcher in current_mode().watchers:
                watcher.on_error(error, self, args)
            raise

    # Without it, forward and backward of a convolution of two images of 4×4 take 1.3 times as long,
    # and a gradient check of that convolution takes 1.2 times as long.
    def checked(self, *args: Any, **options: Any) -> Any:
        """Call the op with arguments that have been checked before, as in a vjp.

        All inputs must be given, and the options must be canonical. On plain arrays this runs the
        forward only: for small arrays, another check would take longer than the computation.
        """
        for arg in args:
            if isinstance(arg, Handle):
                return self(*args, **options)
        return self.forward(*args, **options)

    # Without it, a chain of Scalars takes 2.2 times as long, a chain of small Tensors 1.4 times.
    # With a similar shortcut inside `__call__`, they still take 1.3 and 1.1 times as long.
    def as_operator(self, grain: type[Handle]) -> Callable[[Any, Any], Any]:
        """A faster ``lambda a, b: self(a, b)``, to be used as an operator of the class `grain`.

        The op must have two inputs, no check and no options. The common case is computed here;
        every other case, errors included, is left to `__call__`.
        """
        new = object.__new__
        compute = self._single if grain.is_single else self.forward

        def method(a: Any, b: Any) -> Any:
            first = a.node
            if type(b) is grain:
                second = b.node
            elif type(b) is float or type(b) is int:
                second = Constant(b)
            else:
                return self(a, b)
            recording, scope, _, watchers, _ = current_mode()
            if watchers or not (recording and (first.needs_grad or second.needs_grad)):
                return self(a, b)
            try:
                value = compute(first.value, second.value)
            except Exception:
                return self(a, b)
            if type(value) is not float and (
                type(value) is not np.ndarray or value.dtype.kind != "f"
            ):
                return self(a, b)
            node = new(Node)  # Node(…) would make a network of Scalars take 1.1 times as long
            node.value = value
            node.op = self
            node.inputs = (first, second)
            node.options = None
            node.needs_grad = True
            node.scope = scope
            node.grad = None
            node.rare = None
            node.serial = next_serial()
            handle = new(grain)
            handle.node = node
            return handle

        return method

    def _bind(
        self, args: tuple[Any, ...], given: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sort a call's arguments into inputs and options, as a Python function would."""
        if self.variadic:
            if not args or not isinstance(args[0], list | tuple) or not args[0]:
                raise DtypeError(f"{self.name}: the first argument is a list of arrays, not empty")
            args, extra = tuple(args[0]), args[1:]
        else:
            count = len(self.inputs)
            args, extra = args[:count], args[count:]
            if len(args) < count:
                left = self.inputs[len(args) :]
                args += tuple([given.pop(name, self.optional.get(name)) for name in left])
            for a in args[: count - len(self.optional)]:
                if a is None:
                    missing = [n for n, a in zip(self.inputs, args, strict=True) if a is None]
                    missing = [n for n in missing if n not in self.optional]
                    raise DtypeError(f"{self.name}: input {', '.join(missing)} is missing")
        options = {**self.defaults, **given}
        if extra:
            if len(extra) > len(self.options):
                raise OptionError(
                    f"{self.name}: {len(extra) - len(self.options)} arguments too many; it takes "
                    f"{', '.join(self.inputs + self.options)}"
                )
            options |= dict(zip(self.options, extra, strict=False)) | given
        if options.keys() != self._options:
            unknown = [name for name in given if name not in self.options]
            lacking = [name for name in self.options if name not in options]
            problem = f"unknown option {unknown[0]!r}" if unknown else f"{lacking[0]} is missing"
            takes = ", ".join(self.inputs + self.options)
            raise OptionError(f"{self.name}: {problem}; it takes {takes}")
        return args, options

    def _canonical(self, values: list[Any], options: dict[str, Any]) -> dict[str, Any]:
        """The options in canonical form, as the check returns them; or the error that it raises.

        A remembered call is recognised by the `id` of each option, since equal options may still
        differ (1 and True). The options are kept, so that no other object gets the same `id`.
        """
        key = None
        if self._passed is not None:
            try:
                shapes = [v if v is None else (v.shape, v.dtype) for v in values]
                key = (*shapes, *[id(options[name]) for name in self.options])
                known = self._passed.get(key)
                if known is not None:
                    return known[1]
            except (AttributeError, TypeError):  # not an array: a Python number, say
                key = None
        try:
            checked = dict(self._check(*values, **options))  # type: ignore[misc]
        except TinygradError:
            raise
        except Exception as error:
            self._explain(error, values)
            raise
        if key is not None and self._passed is not None and never_changes(tuple(options.values())):
            if len(self._passed) >= MOST_PASSED:
                self._passed.clear()
            self._passed[key] = options, checked
        return checked

    def _array(self, value: Any) -> Any:
        """A list or another value as an array; raises if its rows have different lengths."""
        try:
            return np.asarray(value)
        except ValueError as error:
            raise ShapeError(
                f"{self.name}: this {type(value).__name__} is no array: {error}"
            ) from None

    def _explain(self, error: Exception, values: list[Any]) -> None:
        """Say which op failed on what: raise our own error for a known cause, else add a note."""
        for name, value in zip(self.inputs, values, strict=False):
            if value is None and name not in self.optional:
                raise DtypeError(f"{self.name}: input {name} is missing") from error
        given = [v for v in values if v is not None]
        arrays = [self._array(v) for v in given]
        for value, array in zip(given, arrays, strict=True):
            if array.dtype.kind not in "fiub":
                of = f" of {array.dtype}" if isinstance(value, np.ndarray) else ""
                raise DtypeError(
                    f"{self.name}: real numbers are needed, got {type(value).__name__}{of}"
                ) from error
        shapes = [array.shape for array in arrays]
        if self.elementwise and isinstance(error, TypeError | ValueError):
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                listed = " and ".join(map(str, shapes))
                raise ShapeError(
                    f"{self.name}: shapes {listed} do not broadcast: aligned from the right, "
                    "two sizes must be equal, or one of them 1"
                ) from error
            kinds = " and ".join(str(getattr(v, "dtype", type(v).__name__)) for v in values)
            raise DtypeError(f"{self.name}: cannot compute with {kinds} ({error})") from error
        error.add_note(f"in op {self.name!r} on inputs of shapes {shapes}")

    def _record(
        self, grain: Any, nodes: list[Any], value: Any, options: dict[str, Any], recorded: bool
    ) -> Any:
        """Wrap a value in a node and a handle; the node keeps its inputs only if it is recorded."""
        scope = current_mode().scope
        inputs: tuple[Node | None, ...] = ()
        if recorded:
            inputs = tuple(
                [n if n is None or isinstance(n, Node) else Constant(snapshot(n)) for n in nodes]
            )
            if options and not never_changes(tuple(options.values())):
                # e.g. an index array, which the caller may change later
                options = {name: snapshot(option) for name, option in options.items()}
        if type(value) is not tuple:
            value = self._kept(value, grain.is_single)
            return grain.of(Node(value, self, inputs, options, recorded, scope))
        value = tuple([self._kept(part, grain.is_single) for part in value])
        whole = Node(value, self, inputs, options, recorded, scope)
        source = (whole,) if recorded else ()
        parts = [
            Node(part, OUTPUT, source, {"index": i}, recorded and has_gradient(part), scope)
            for i, part in enumerate(value)
        ]
        return tuple(map(grain.of, parts))

    def compute(self, values: list[Any], options: dict[str, Any], single: bool) -> Any:
        """The value that a node would hold, from plain inputs, without a check or a recording."""
        try:
            value = (self._single if single else self.forward)(*values, **options)
        except TinygradError:
            raise
        except Exception as error:
            self._explain(error, values)
            raise
        if type(value) is not tuple:
            return self._kept(value, single)
        return tuple([self._kept(part, single) for part in value])

    def _kept(self, value: Any, single: bool) -> Any:
        """A forward's result in the form that nodes hold: an array, or a float for a Scalar."""
        if type(value) is np.ndarray and value.dtype.kind == "f" and not single:
            return value
        if not isinstance(value, _PLAIN):
            raise DtypeError(
                f"{self.name}: the forward must return an array, got {type(value).__name__}"
            )
        if not single:
            value = value if hasattr(value, "dtype") else np.asarray(value)
            if value.dtype.kind not in "fiub":
                raise DtypeError(
                    f"{self.name}: real numbers are needed, the result is {value.dtype}"
                )
            return value
        if type(value) is not float and np.ndim(value):
            raise DtypeError(
                f"{self.name}: a Scalar and an array of shape {np.shape(value)} do not mix; "
                "make the Scalar a Tensor: tg.Tensor(scalar.data)"
            )
        return float(value)

    def _watched(
        self,
        forward: Callable[..., Any],
        grain: Any,
        nodes: list[Any],
        values: list[Any],
        options: dict[str, Any],
        needs_grad: bool,
    ) -> Any:
        """The rest of `__call__` if there are watchers: time and record the forward, tell them."""
        mode = current_mode()
        started = time.perf_counter()
        try:
            value = forward(*values, **options)
        except TinygradError:
            raise
        except Exception as error:
            self._explain(error, values)
            raise
        seconds = time.perf_counter() - started
        result = self._record(grain, nodes, value, options, True)
        made = [handle.node for handle in (result if isinstance(result, tuple) else (result,))]
        if isinstance(result, tuple):
            made.insert(0, made[0].inputs[0])
        for i, node in enumerate(made):
            node.needs_grad = needs_grad and mode.recording and has_gradient(node.value)
            for watcher in mode.watchers:
                watcher.on_forward(node, seconds if i == 0 else 0.0)
        if not ((needs_grad and mode.recording) or any(w.records for w in mode.watchers)):
            for node in made:
                node.inputs = ()
        return result

    # --- asking ----------------------------------------------------------------------------

    def pull(
        self, g: Any, y: Any, args: list[Any], options: dict[str, Any], needed: list[bool]
    ) -> Sequence[Any]:
        """The gradients at the inputs, as the vjp returns them: one entry for each input."""
        vjps = self.vjps
        if len(vjps) > 1:
            if options:
                return [
                    f(g, y, *args, **options) if f is not None and wanted else None
                    for f, wanted in zip(vjps, needed, strict=True)
                ]
            return [
                f(g, y, *args) if wanted and f is not None else None
                for f, wanted in zip(vjps, needed, strict=True)
            ]
        if not vjps:
            raise GraphError(
                f"{self.name} has no vjp: declare one with @{self.name}.vjp, or detach its inputs"
            )
        answer = vjps[0](g, y, *args, **options)  # type: ignore[misc]
        if len(args) == 1 and not isinstance(answer, tuple):
            return (answer,)
        if not isinstance(answer, tuple) or len(answer) != len(args):
            got = len(answer) if isinstance(answer, tuple) else type(answer).__name__
            raise ShapeError(
                f"vjp of {self.name}: expected a tuple of {len(args)} gradients, one for each "
                f"input, got {got}"
            )
        return answer

    @property
    def is_defined(self) -> bool:
        """Whether `define` can be called: the op has a definition, or is elementwise."""
        return self.elementwise or self._definition is not None

    def define(self, at: tuple[int, ...], inputs: list[Any], options: dict[str, Any]) -> Any:
        """The definition's value at one output index, from inputs that yield Scalars.

        Raises:
            GraphError: the op has no definition.
        """
        if self._definition is not None:
            return self._definition(at, *inputs, **options)
        if self.elementwise:
            cells = [x if x is None else x[broadcast_index(at, x.shape)] for x in inputs]
            return self(*cells, **options)
        raise GraphError(f"{self.name} has no definition: declare one with @{self.name}.definition")

    def cost(self, node: Node) -> Cost:
        """Multiply-adds, and bytes read and written, of the call that made `node`."""
        outputs = node.value if isinstance(node.value, tuple) else (node.value,)
        inputs = [None if p is None else p.shape for p in node.inputs]
        values = [*outputs, *(p.value for p in node.inputs if p is not None)]
        moved = sum(getattr(value, "nbytes", 8) for value in values)  # a Scalar has no array
        if self._multiply_adds is not None:
            work = self._multiply_adds(np.shape(outputs[0]), *inputs, **(node.options or {}))
        else:
            work = math.prod(np.shape(outputs[0])) if self.elementwise else 0
        return Cost(int(work), moved)

    def _mixed_grains(self) -> DtypeError:
        return DtypeError(
            f"{self.name}: a Scalar and a Tensor do not mix; use Tensor(scalar.data), or index "
            "the Tensor with zoom"
        )

    def __repr__(self) -> str:
        return f"<Op {self.name}({', '.join(self.inputs + self.options)})>"


def op(
    name: str | Callable[..., Any] | None = None,
    forward: Callable[..., Any] | None = None,
    *vjps: Callable[..., Any] | None,
    elementwise: bool = False,
    single: Callable[..., float] | None = None,
    symbol: str | None = None,
) -> Any:
    """Declare an op: as a decorator of its forward, or in one line.

    Args:
        name: the op's name; a decorator without arguments takes the function's name.
        forward: plain arrays (and keyword-only options) in, a plain array out.
        vjps: the gradient, as for `Op.vjp`.
        elementwise: each output element depends on one element of each input, after broadcasting.
        single: the forward on Python floats, for Scalars, where that is quicker.
        symbol: how pictures of scalar graphs show it, e.g. ``"+"``.

    Returns:
        An `Op`, called like the forward.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g * 3 * x**2)
        >>> x = tg.Tensor([2.0], requires_grad=True)
        >>> cube(x).sum().backward()
        >>> x.grad.numpy()
        array([12.], dtype=float32)
    """
    given = {"elementwise": elementwise, "single": single, "symbol": symbol}
    if callable(name):
        return Op(name.__name__, name, **given)  # type: ignore[arg-type]
    if forward is None:
        return lambda function: Op(name or function.__name__, function, **given)  # type: ignore[arg-type]
    declared = Op(name or forward.__name__, forward, **given)  # type: ignore[arg-type]
    return declared.vjp(*vjps) if vjps else declared


OUTPUT = Op("output", lambda values, *, index: values[index])
"""Picks one output of an op that has several. `backward.pull` has a special case for it."""
