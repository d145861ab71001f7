"""ONNX files: `from_onnx` reads them as ours, `to_onnx` writes ours.

What each operator means here is in `table.py` and the files of its families; the package onnx is
loaded only when a file is read or written.
"""
