"""`write_checks`: gradient checks as a page, each with its Jacobians and its report in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tinygrad_cnn.gradcheck import Report

from ..picture.gallery import Section, write_page
from .jacobian import jacobian


def write_checks(
    path: str | Path, title: str, introduction: str, reports: Mapping[str, Report | str]
) -> Path:
    """Write a page of gradient checks to a file, and return its path.

    Args:
        path: of the .html file; its folder is made if need be.
        title, introduction: above the checks.
        reports: by the name of what was checked; a text instead of a report says why it is missing.
    """
    sections = [
        Section(f"{name}: could not be checked", told)
        if isinstance(told, str)
        else Section(
            f"{name}: {told.verdict}",
            f"{told.diagnosis[:1].upper()}{told.diagnosis[1:]}.",
            [jacobian(told)] if told.numeric else [],
            str(told),
        )
        for name, told in reports.items()
    ]
    return write_page(path, title, introduction, sections)
