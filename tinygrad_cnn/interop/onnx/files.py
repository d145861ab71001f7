"""Files of ONNX: the model, and tensors that stand in files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, DtypeError
from .table import dtype_named


def read_model(onnx: Any, path: Any) -> Any:
    """The model of a file; tensors outside the file are not read yet.

    Raises:
        DataError: the file is missing, damaged or no model of ONNX.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf has several kinds
        raise DataError(f"{path}: is damaged, or no file of ONNX: {error}") from error
    return model


class Tensors:
    """Reads tensors of a model as arrays.

    Args:
        onnx: the package.
        where: how errors name the file.
        folder: where tensors in files of their own are looked for; None: nowhere.
    """

    def __init__(self, onnx: Any, where: str, folder: Path | None) -> None:
        self.onnx, self.where, self.folder = onnx, where, folder

    def array(self, tensor: Any, what: str) -> np.ndarray[Any, Any]:
        """The array of a TensorProto.

        Raises:
            DataError: what is stored does not fit its shape, or lies outside the model's folder.
            DtypeError: numbers of a kind that is not computed with here.
        """
        said = f"{self.where}: {what}"
        try:
            dtype = dtype_named(tensor.data_type)
        except DtypeError as error:
            name = _name_of(self.onnx, tensor.data_type)
            raise DtypeError(f"{said} is of type {name}: {error}") from None
        try:
            shape = tuple(tensor.dims)
            if min(shape, default=0) < 0:
                raise DataError(f"{said} has the shape {shape}")
            if tensor.data_location == self.onnx.TensorProto.EXTERNAL:
                return self._external(tensor, dtype, shape, said)
            return self._inside(tensor, shape)
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{said}: {error}") from error

    def _inside(self, tensor: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        array = np.asarray(self.onnx.numpy_helper.to_array(tensor))
        return array.reshape(shape)

    def _external(
        self, tensor: Any, dtype: np.dtype[Any], shape: tuple[int, ...], said: str
    ) -> np.ndarray[Any, Any]:
        """A tensor in a file beside the model's; that file is mapped, not copied."""
        facts = {entry.key: entry.value for entry in tensor.external_data}
        location = facts.get("location", "")
        if self.folder is None:
            raise DataError(
                f"{said} is in the file {location!r} beside the model's: "
                "give from_onnx the path, not the model"
            )
        folder = self.folder.resolve()
        file = (folder / location).resolve()
        if not location or not file.is_relative_to(folder) or "\0" in location:
            raise DataError(f"{said} is in {location!r}, outside the model's folder: not read")
        if not file.is_file():
            raise DataError(f"{said}: there is no file {file}")
        count = int(np.prod(shape, dtype=object))
        offset = int(facts.get("offset") or 0)
        length = int(facts.get("length") or count * dtype.itemsize)
        there = os.path.getsize(file)
        if length != count * dtype.itemsize or offset < 0 or offset + length > there:
            raise DataError(
                f"{said} of shape {shape} and {dtype} needs {count * dtype.itemsize} bytes; the "
                f"model names {length} from {offset} on, and {file} has {there}"
            )
        if not count:
            return np.zeros(shape, dtype)
        stored = np.memmap(file, dtype.newbyteorder("<"), "r", offset, shape)
        return np.asarray(stored).astype(dtype, copy=False)


def _name_of(onnx: Any, code: int) -> str:
    try:
        return str(onnx.TensorProto.DataType.Name(code))
    except ValueError:
        return str(code)
