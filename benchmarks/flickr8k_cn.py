"""Lay out Flickr8k-CN as pairs: 8,000 general photos, five human-written Chinese captions each.

    git clone https://github.com/li-xirong/flickr8kcn captions
    git clone https://github.com/RlNZLER/Image-Text-Matching photos
    git -C photos checkout 56a15d91
    python benchmarks/flickr8k_cn.py --captions captions/data --photos photos/data/images --out P
    python benchmarks/ablation.py benchmarks/plans/flickr8k-cn.yaml --data P --parts DIR

Captions: Li, Lan, Dong and Liu, "Adding Chinese captions to images", ICMR 2016, with the official
6000/1000/1000 photos (here train, dev, validation). For research only: neither photos nor captions
are part of this project.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

CAPTIONS = "flickr8kzhc.caption.txt"
LISTS = {"train": "flickr8ktrain.txt", "dev": "flickr8kval.txt", "validation": "flickr8ktest.txt"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    split_of = {
        name.strip(): split
        for split, file in LISTS.items()
        for name in (args.captions / file).read_text(encoding="utf-8").split()
    }
    args.out.mkdir(parents=True)
    counts = dict.fromkeys(LISTS, 0)
    with (args.out / "pairs.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("photo", "description", "split"))
        for line in (args.captions / CAPTIONS).read_text(encoding="utf-8").splitlines():
            key, _, caption = line.partition(" ")
            name = key.partition("#")[0]
            split = split_of.get(name) or split_of.get(Path(name).stem)
            if split is None or not caption.strip():
                continue
            table.writerow((str((args.photos / name).resolve()), caption.strip(), split))
            counts[split] += 1
    print(f"{args.out}: {counts}")


if __name__ == "__main__":
    main()
