"""The lowest versions that pyproject.toml allows, of what is needed to run and to test.

    python scripts/lowest_versions.py > constraints.txt

Type stubs are left out: the tests need none, and their versions end in a date.
"""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in project["dependencies"] + project["optional-dependencies"]["test"]:
    name, bound = re.match(r"([\w-]+)(?:\[.*\])?[>=]=([\w.]+)", requirement).groups()
    if not name.startswith("types-"):
        print(f"{name}=={bound}")
