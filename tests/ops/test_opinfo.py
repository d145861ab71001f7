"""PyTorch's own sample calls of its ops (OpInfo): ours give the same values and gradients.

The samples are in float64, of one seed; each output has a random cotangent. `oracles_opinfo` has
the table of ops, and that of the samples which are refused on purpose.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import TinygradError

from .oracles_opinfo import OURS, RANDOM, REFUSED, WITHOUT

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's sample calls need the package expecttest")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")

MANY = 400
"""Of more samples than that (pooling has a thousand) every seventh is enough."""


@pytest.fixture(scope="module")
def opinfo():
    """OpInfo by name, with the name of the variant behind a dot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {".".join(filter(None, [op.name, op.variant_test_name])): op for op in op_db}


def samples(op: Any) -> list[Any]:
    """Asked of the function behind `sample_inputs`, which looks at the stack at each sample."""
    torch.manual_seed(0)
    options = {"requires_grad": op.supports_autograd}
    found = list(op.sample_inputs_func(op, "cpu", torch.float64, **options))
    return found[::7] if len(found) > MANY else found


def converted(x: Any) -> Any:
    """Arguments of PyTorch's as ours: Tensors that share no memory with them."""
    if isinstance(x, torch.Tensor):
        return tg.Tensor(x.detach().numpy(), requires_grad=x.requires_grad)
    if isinstance(x, torch.dtype):
        return np.dtype(str(x).removeprefix("torch."))
    if isinstance(x, dict):
        return {name: converted(part) for name, part in x.items()}
    if isinstance(x, tuple | list):
        return (list if isinstance(x, list) else tuple)(map(converted, x))
    return x


def tensors(x: Any, kind: type) -> Iterator[Any]:
    """All tensors in nested arguments, in order."""
    if isinstance(x, kind):
        yield x
    elif isinstance(x, dict | tuple | list):
        for part in x.values() if isinstance(x, dict) else x:
            yield from tensors(part, kind)


def several(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def numbers(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(tg.constant(x))


def compare(op: Any, sample: Any, ours: Any, arguments: Any) -> None:
    """Values, gradients for random cotangents, and what was changed in place."""
    theirs = op(sample.input, *sample.args, **sample.kwargs)
    random, pairs = np.random.default_rng(0), []
    for y, z in zip(several(ours), several(theirs), strict=False):  # theirs may have indices, too
        assert_close(numbers(y), numbers(z), 1e-9)
        if z.requires_grad:
            pairs.append((y, z, np.asarray(random.normal(size=z.shape), numbers(z).dtype)))
    given = [sample.input, *sample.args, sample.kwargs]
    for x, changed in zip(tensors(arguments, tg.Tensor), tensors(given, torch.Tensor), strict=True):
        np.testing.assert_allclose(numbers(x), numbers(changed))
    if not pairs:
        return
    total: Any = 0.0
    for y, _, cotangent in pairs:
        total = total + (y * cotangent).sum()
    leaves = [x for x in tensors(arguments, tg.Tensor) if x.requires_grad]
    wanted = [x for x in tensors(given, torch.Tensor) if x.requires_grad]
    found = tg.grad(total, leaves, allow_unused=True)
    outputs, cotangents = [z for _, z, _ in pairs], [torch.tensor(g) for *_, g in pairs]
    expected = torch.autograd.grad(outputs, wanted, cotangents, allow_unused=True)
    for x, g, h in zip(leaves, found, expected, strict=True):
        zeros = np.zeros(x.shape)
        assert_close(zeros if g is None else numbers(g), zeros if h is None else numbers(h), 1e-8)


def assert_close(found: Any, expected: Any, tolerance: float) -> None:
    assert found.shape == expected.shape
    size = np.max(np.abs(expected), initial=1.0, where=np.isfinite(expected))
    np.testing.assert_allclose(found, expected, tolerance, tolerance * float(size))


def call(name: str, sample: Any) -> tuple[Any, Any, str]:
    """Our result, its arguments, and the message if it was refused."""
    arguments = converted([sample.input, *sample.args, sample.kwargs])
    try:
        return OURS[name](*arguments[:-1], **arguments[-1]), arguments, ""
    except TinygradError as error:
        return None, arguments, str(error)


@pytest.mark.parametrize("name", sorted(OURS))
def test_samples(opinfo, name):
    """All agree but for those that are refused, with the message that the table says."""
    expected = {refusal for refusal in REFUSED if name in refusal.names}
    met = set()
    for sample in samples(opinfo[name]):
        ours, arguments, said = call(name, sample)
        if said:
            fitting = [refusal for refusal in expected if re.search(refusal.says, said)]
            assert fitting, f"no refusal in REFUSED says {said!r}"
            met.update(fitting)
        elif ours is not RANDOM:
            compare(opinfo[name], sample, ours, arguments)
    assert met == expected, "what is listed as refused is computed: take it out of REFUSED"


def test_no_op_of_the_same_name_is_forgotten(opinfo):
    names = {name: op.name.removeprefix("nn.functional.") for name, op in opinfo.items()}
    shared = {name for name, short in names.items() if short in tg.ops.__all__}
    assert shared <= OURS.keys() | WITHOUT.keys()
    assert WITHOUT.keys() <= shared - OURS.keys()


def test_how_many_samples_are_compared(opinfo):
    compared = refused = 0
    for name in OURS:
        for sample in samples(opinfo[name]):
            ours, _, said = call(name, sample)
            refused += bool(said)
            compared += not said and ours is not RANDOM
    assert compared > 2200
    assert refused < compared / 5
    assert {name for refusal in REFUSED for name in refusal.names} <= OURS.keys()
