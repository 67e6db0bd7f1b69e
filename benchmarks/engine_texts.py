"""Does an engine elsewhere write what the model writes here? Greedy texts of the same photos.

    vllm serve RUN/model --served-model-name hazards --port 9000 --dtype float32
    python benchmarks/engine_texts.py --model RUN/model --photos FOLDER \\
        --engine http://127.0.0.1:9000/v1 --name lite0-smollm2

Describes the first --count photos of the folder in this process, in float32 and in bfloat16, and by
the endpoint as `describe --engine` does, and counts equal texts. How many different texts there are
tells whether equality means anything. Writes benchmarks/results/engine_texts-NAME.json.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from measuring import processor

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="folder")
    parser.add_argument("--engine", required=True, help="base URL; it serves that model alone")
    parser.add_argument("--name", required=True, help="of the result")
    parser.add_argument("--told", default="", help="what else to keep: options of the engine")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--max_new_tokens", type=int, default=40)
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    import transformers

    from hazardscribe.describing.sources import find_photos
    from hazardscribe.verbs.photos import describe

    photos = find_photos([str(args.photos)])[: args.count]

    def texts(**options: Any) -> list[str]:
        records = describe(photos, args.model, max_new_tokens=args.max_new_tokens, **options)
        return [record["ai_description"] for record in records]

    here = {number: texts(doubt=False, precision=number) for number in ("float32", "bfloat16")}
    there = texts(engine=args.engine, batch_size=8)
    config = json.loads((args.model / "config.json").read_text(encoding="utf-8"))
    result = {
        "engine": version(args.engine),
        "told": args.told,
        "processor": processor(),
        "transformers": transformers.__version__,
        "architecture": config["architectures"][0],
        "parts": [
            config.get(part, {}).get("model_type") for part in ("vision_config", "text_config")
        ],
        "photos": len(photos),
        "different_texts": len(set(here["float32"])),
        "equal": {
            "engine, float32 here": equal(there, here["float32"]),
            "engine, bfloat16 here": equal(there, here["bfloat16"]),
            "float32, bfloat16 here": equal(here["float32"], here["bfloat16"]),
        },
    }
    out = ROOT / "benchmarks" / "results" / f"engine_texts-{args.name}.json"
    out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False, indent=1))


def equal(one: list[str], other: list[str]) -> int:
    """How many texts are the same, sign for sign."""
    return sum(a == b for a, b in zip(one, other, strict=True))


def version(engine: str) -> Any:
    """What the server says of its version beside its API: vLLM at /version, llama.cpp at /props."""
    place = urlsplit(engine)
    beside = f"{place.scheme}://{place.netloc}"
    answer = httpx.get(f"{beside}/version", timeout=30)
    if answer.status_code == 200:
        return answer.json()
    told = httpx.get(f"{beside}/props", timeout=30)
    return told.json().get("build_info") if told.status_code == 200 else None


if __name__ == "__main__":
    main()
