"""Makes tinygrad_cnn/data/files/sentences.tsv.gz from the npm package `sentiment`.

    npm pack sentiment@5.0.2 && tar xzf sentiment-5.0.2.tgz
    python scripts/make_sentences.py package/test/fixtures [OUTPUT]

The package's test fixtures hold the UCI "Sentiment Labelled Sentences" as JSON. Each line of the
output is a source, a label and a sentence, between tabs. Where the fixtures read Windows-1252 as
Latin-1 (the bytes 0x80 … 0x9f), the character that was meant is put back.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

SOURCES = ("amazon", "imdb", "yelp")
OUTPUT = Path(__file__).parents[1] / "tinygrad_cnn" / "data" / "files" / "sentences.tsv.gz"


def repaired(text: str) -> str:
    """The sentence on one line, its mistaken characters put right."""
    fixed = "".join(
        c.encode("latin-1").decode("cp1252") if "\x80" <= c <= "\x9f" else c for c in text
    )
    return " ".join(fixed.split())


def main(folder: Path, output: Path = OUTPUT) -> None:
    """Reads the three files in `folder` and writes `output`."""
    lines = []
    for source in SOURCES:
        for item in json.loads((folder / f"{source}.json").read_text(encoding="utf-8")):
            if item["class"] is not None:  # the last item of each file is empty
                lines.append(f"{source}\t{item['class']}\t{repaired(item['text'])}\n")
    output.write_bytes(gzip.compress("".join(lines).encode("utf-8"), 9, mtime=0))
    print(f"{output}: {len(lines)} sentences, {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the file of labelled sentences.")
    parser.add_argument("folder", type=Path, help="the package's test/fixtures")
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.output)
