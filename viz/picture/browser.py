"""Opening a page or a picture in the reader's browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

PATIENCE = 3.0  # seconds to wait for the desktop to say that it has no browser


def open_page(path: Path) -> bool:
    """Open a page or a picture in the reader's browser; False if none could be opened.

    Nothing is printed: the caller says where the page is.
    """
    address = path.resolve().as_uri()
    opener = shutil.which("xdg-open")
    if sys.platform in ("win32", "darwin") or opener is None:
        return webbrowser.open(address)
    opening = subprocess.Popen(
        [opener, address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return opening.wait(PATIENCE) == 0
    except subprocess.TimeoutExpired:  # it still runs: it is the browser itself
        return True
