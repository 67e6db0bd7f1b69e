"""Describe photos with plain transformers and with hazardscribe; report the share of equal words.

    python benchmarks/plain_transformers.py --model RUN/model --data PAIRS [--split validation]

The transformers side runs in a process of its own, in which importing hazardscribe is impossible.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

PLAIN = """
import json, sys
sys.modules["hazardscribe"] = None  # any import of it now fails
import torch
from PIL import Image, ImageOps
from transformers import AutoModelForImageTextToText, AutoProcessor
folder, batch = sys.argv[1], 16
photos = json.load(sys.stdin)
model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
processor = AutoProcessor.from_pretrained(folder)
prompt = json.load(open(folder + "/hazardscribe.json", encoding="utf-8"))["prompt"]
content = [{"type": "image"}, {"type": "text", "text": prompt}]
text = processor.apply_chat_template(
    [{"role": "user", "content": content}], add_generation_prompt=True
)
made = []
for i in range(0, len(photos), batch):
    opened = [ImageOps.exif_transpose(Image.open(p)) for p in photos[i : i + batch]]
    images = [[image.convert("RGB")] for image in opened]
    inputs = processor(
        images=images, text=[text] * len(images), return_tensors="pt", padding=True,
        padding_side="left", add_special_tokens=False,
    )
    with torch.inference_mode():
        output = model.generate(**inputs)
    new = output[:, inputs["input_ids"].shape[1] :]
    made += [t.strip() for t in processor.batch_decode(new, skip_special_tokens=True)]
json.dump(made, sys.stdout, ensure_ascii=False)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    args = parser.parse_args()

    import hazardscribe as hs

    photos = list(dict.fromkeys(hs.read_pairs(args.data)[args.split]["photo"]))
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(args.model)],
        input=json.dumps(photos),
        capture_output=True,
        text=True,
        check=True,
    )
    plain = json.loads(done.stdout)
    ours = [made.text for made in hs.Describer(args.model)(photos)]
    equal = sum(a == b for a, b in zip(plain, ours, strict=True))
    result = {"photos": len(photos), "equal": equal, "share": equal / len(photos)}
    print(json.dumps(result))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
