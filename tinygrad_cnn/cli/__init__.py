"""The command line, `tinygrad-cnn`: `app.py` joins the commands, which have one file each.

No other room of the package imports `viz`, and here only the commands do, when they run.
"""

from .app import app, main

__all__ = ["app", "main"]
