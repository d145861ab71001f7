"""The tutorials: read as cells, run as a page, step by step, or written as a notebook.

A tutorial is a file of cells, ``tutorials/NN_name.py``, in the py:percent form of jupytext. In an
installed wheel the files are ``tinygrad_cnn/_tutorials``.
"""

from .cells import Cell, Tutorial, find, listed, read
from .notebook import write_notebook
from .page import write_page
from .run import Result, Session
from .step import step

__all__ = [
    "Cell",
    "Result",
    "Session",
    "Tutorial",
    "find",
    "listed",
    "read",
    "step",
    "write_notebook",
    "write_page",
]
