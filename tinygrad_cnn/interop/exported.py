"""`from_torch`: a PyTorch network as a Module of ours, by way of ``torch.export``."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..engine.context import no_grad
from ..engine.op import constant
from ..errors import DataError, OptionError
from .program import Imported
from .translation import Translation
from .written import write_down, written_by_export


def from_torch(module: Any, example_inputs: Any = None, *, training: bool = False) -> Imported:
    """A network of PyTorch's as a Module that computes the same with this project's ops.

    Parameters and buffers have their names and values; ``train()`` and ``eval()`` do to dropout and
    batch norm what they do there. Recorded nodes carry the names of the modules, and the lines of
    the network's own source. The batch size may be another one than the example's.

    Args:
        module: a ``torch.nn.Module``; or what ``torch.export.export`` made of one; or the path of
            a .pt2 file that ``torch.export.save`` wrote.
        example_inputs: of a Module: the arguments of one call, a tuple (or one tensor).
        training: the mode that the network is exported in. A network that computes something else
            in training, beyond dropout and batch norm, does so only if it is imported so.

    Raises:
        OptionError: PyTorch is not installed; no example_inputs.
        DataError: the network makes calls that nothing here computes: lists each, how often, and
            in which modules. `tinygrad_cnn.interop.register` adds one.
        DtypeError: a parameter of a dtype that NumPy does not have, such as bfloat16.

    Example:
        >>> import tinygrad_cnn as tg
        >>> import torch  # doctest: +SKIP
        >>> net = tg.from_torch(torch.nn.Linear(3, 2), torch.randn(4, 3))  # doctest: +SKIP
        >>> net(tg.Tensor([[1.0, 2.0, 3.0]])).shape  # doctest: +SKIP
        (1, 2)
    """
    torch = _torch()
    if isinstance(module, str | os.PathLike):
        module = _load(torch, Path(module))
    if isinstance(module, torch.export.ExportedProgram):
        return Translation(torch, written_by_export(torch, module), training).network()
    if not isinstance(module, torch.nn.Module):
        raise OptionError(
            "from_torch: a torch.nn.Module, an ExportedProgram or the path of a .pt2 file is "
            f"needed, got {type(module).__name__}"
        )
    if example_inputs is None:
        raise OptionError(
            "from_torch: example_inputs are needed: the arguments of one call, as (images,)"
        )
    if not isinstance(example_inputs, tuple | dict):
        example_inputs = (example_inputs,)
    modes = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        written = write_down(torch, module, example_inputs)
        network = Translation(torch, written, training).network()
        if written.note and not training:
            _must_agree(torch, network, module, example_inputs)
        return network
    finally:
        for part, mode in modes.items():
            part.training = mode


def _must_agree(torch: Any, network: Imported, module: Any, example: Any) -> None:
    """Refuse a network whose one call, as it was watched, computes something else.

    Watching does not see what is written into a part of a value, if only the whole is used later.
    """
    args, options = ((), example) if isinstance(example, dict) else (example, {})
    flatten = torch.utils._pytree.tree_leaves
    arrays = torch.utils._pytree.tree_map_only(torch.Tensor, _plain, (args, options))
    with torch.no_grad(), no_grad():
        theirs = flatten(module(*args, **options))
        ours = [constant(leaf) for leaf in flatten(network(*arrays[0], **arrays[1]))]
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, torch.Tensor) and not np.allclose(_plain(b), a, rtol=1e-3, equal_nan=True):
            raise DataError(
                f"from_torch: {type(module).__name__} decides by values, and writes into parts of "
                "them: what it computes could not be written down. Write x = torch.cat(…) or "
                "torch.where(…) instead of x[…] = …"
            )


def _plain(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy()


def _torch() -> ModuleType:
    try:
        import torch
        import torch.export
    except ImportError as error:
        raise OptionError(
            "from_torch needs PyTorch, which is not installed: pip install 'tinygrad_cnn[torch]'"
        ) from error
    return torch


def _load(torch: Any, path: Path) -> Any:
    if path.suffix in (".pt", ".pth"):
        raise DataError(
            f"{path}: a pickle runs code when it is read, so it is refused. In PyTorch, save the "
            "network by torch.export.save(torch.export.export(module, example), 'net.pt2'), or its "
            "weights by safetensors.torch.save_file(module.state_dict(), 'net.safetensors')"
        )
    try:
        return torch.export.load(path)
    except Exception as error:
        raise DataError(f"{path}: this is no exported program: {error}") from error
