"""A tutorial that needs more than this package, and is skipped where that is not there."""

from __future__ import annotations

from importlib.util import find_spec


class Skipped(SystemExit):
    """Ends a script without failing: its exit code is 0.

    Attributes:
        words: why, and what to install.
    """

    def __init__(self, words: str) -> None:
        super().__init__(0)
        self.words = words

    def __str__(self) -> str:
        return self.words


def need(*packages: str, extras: str) -> None:
    """Go on only if these packages are installed.

    Args:
        packages: as they are imported.
        extras: of tinygrad_cnn that bring them, as in "torchvision,onnx".

    Raises:
        Skipped: one is missing; this ends a script with exit code 0, after saying why.

    Example:
        >>> need("numpy", extras="onnx")
        >>> need("no_such_package", extras="onnx")
        Traceback (most recent call last):
        tinygrad_cnn.teaching.needs.Skipped: ...
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        words = (
            f"Skipped: this needs {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed: "
            f"pip install 'tinygrad_cnn[{extras}]'"
        )
        print(words)
        raise Skipped(words)
