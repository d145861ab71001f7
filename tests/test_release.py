"""What a release says of itself in several places: the version."""

import re
from pathlib import Path

import tinygrad_cnn as tg

ROOT = Path(__file__).parent.parent


def test_the_changelog_begins_with_this_version():
    heading = re.search(r"^## .*", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert heading
    assert tg.__version__ in heading[0]


def test_whoever_cites_cites_this_version():
    assert f"\nversion: {tg.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
