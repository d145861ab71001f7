"""Checking gradients: `gradcheck` and its `Report`."""

from .check import gradcheck
from .report import Entry, Kink, Report

__all__ = ["Entry", "Kink", "Report", "gradcheck"]
