"""Prints the Pythons of this machine that can run the project, as 3.12=/usr/bin/python3.12.

It searches the PATH and pyenv's versions, and prints one Python for each minor version, lowest
first. On stderr it says what it found, and what cannot be used.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ASK = "import sys, ensurepip, ssl, venv; print(sys.version_info.releaselevel, sys.executable)"


def candidates() -> dict[int, list[Path]]:
    """All files called python3.N, by N."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*map(Path, os.get_exec_path()), *sorted(pyenv.glob("versions/*/bin"))]
    found: dict[int, list[Path]] = {}
    for folder in folders:
        for file in folder.glob("python3.*"):
            if named := re.fullmatch(r"python3\.(\d+)", file.name):
                found.setdefault(int(named[1]), []).append(file)
    return found


def usable(file: Path) -> str | None:
    """The path of the interpreter that a file starts; None if it cannot run the project."""
    try:
        run = subprocess.run([file, "-c", ASK], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    level, _, path = run.stdout.strip().partition(" ")
    return path if run.returncode == 0 and level == "final" else None


def main() -> None:
    """Print what was found."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = int(project["requires-python"].removeprefix(">=3."))
    for minor, files in sorted(candidates().items()):
        if minor >= lowest:
            path = next(filter(None, map(usable, files)), None)
            said = path or f"of no use: {files[0]} is no release, or has no working venv and pip"
            print(f"Python 3.{minor}: {said}", file=sys.stderr)
            if path:
                print(f"3.{minor}={path}")


if __name__ == "__main__":
    main()
