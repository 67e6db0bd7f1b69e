"""Do the pairs of a table come back the same from four ways of keeping them?

    python benchmarks/import_four_ways.py --data DIR

DIR holds pairs.csv (photo, description) and the photos. They are written as a workbook with
floating pictures, as WPS and Microsoft 365 store them in cells, and as a GB18030 CSV with a zip;
each is imported, and the multisets of (description, photo SHA-256) are compared.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks/results/import_four_ways.json"
    )
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))  # the tests' own writers of ledgers
    from hazardscribe.pairs.descriptions import clean_text
    from hazardscribe.pairs.ledger.importing import import_ledger
    from hazardscribe.pairs.photo_file import photo_digest
    from pairs.ledger.four_ways import floating, in_cell, in_wps, text_and_zip

    with (args.data / "pairs.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    pairs = []
    for line in lines:
        path = args.data / line["photo"]
        pairs.append((line["description"], path.name, path.read_bytes()))
    wanted = Counter((clean_text(text), photo_digest(content)) for text, _, content in pairs)
    result = {
        "pairs": len(pairs),
        "photos": len({digest for _, digest in wanted}),
        "texts": len({text for text, _ in wanted}),
        "ways": {},
    }
    ways = {"floating": floating, "wps": in_wps, "in_cell": in_cell, "csv_and_zip": text_and_zip}
    for name, write in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            suffix = "csv" if name == "csv_and_zip" else "xlsx"
            written = write(Path(folder, f"ledger.{suffix}"), pairs)
            ledger, photos = written if isinstance(written, tuple) else (written, None)
            start = time.perf_counter()
            # As they are: the texts are those of the data, whatever a photo could show.
            imported = import_ledger(ledger, photos=photos, keep_unseeable=True, dry_run=True)
            seconds = time.perf_counter() - start
        seen = Counter(
            (text, photo.digest)
            for row in imported.rows
            for text in row.draft.texts
            for photo in row.photos
        )
        result["ways"][name] = {
            "same": seen == wanted,
            "missing": sum((wanted - seen).values()),
            "added": sum((seen - wanted).values()),
            "rows": [imported.account.rows_imported, imported.account.rows_read],
            "pictures": [imported.account.pictures_used, imported.account.pictures_found],
            "seconds": round(seconds, 1),
        }
        print(name, json.dumps(result["ways"][name]), flush=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written: {args.out}")
    return 0 if all(way["same"] for way in result["ways"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
