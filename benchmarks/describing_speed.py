"""How fast are photos described, beside transformers' pipeline and its plain `generate`?

    python benchmarks/describing_speed.py --data DIR --model MODEL [--threads 2] [--repeats 3]
    python benchmarks/describing_speed.py ... --peers pipeline generate-batched ours
    python benchmarks/describing_speed.py ... --quality      # scores of a *trained* model instead

Every peer runs in a process of its own, turn by turn, on the same photos, from files to texts; a
ratio is taken within a turn. Loading and a first small batch are not timed. `--new-tokens` are
written for every photo by every peer, with the end token suppressed for all alike, so that speeds
can be compared also on a model that was not trained; `--new-tokens 0` lets texts end by themselves.
Printed: photos a second, ratios to the pipeline one by one and in batches, and the share of texts
that equal those of plain `generate`, one by one where it takes part. `Describer` shrinks a photo to
twice the model's side when it decodes it; with `--side` photos are shrunk before, for all peers.
With one thread, a second of the process's own time is a fair clock also on a machine that others
use. Writes
benchmarks/results/describing_speed-<name>.json.

    pipeline, pipeline-batched    transformers' `image-text-to-text` pipeline, float32
    generate, generate-batched    processor and `generate`, float32
    ours                          `Describer`
    ours-bfloat16                 `Describer(precision="bfloat16")`
    ours-bfloat16-cudnn           the same, with cuDNN's attention, for GPUs
    ours-by-generate              `Describer` with the search left to `generate`
    ours-unpacked                 `Describer` with plain linear layers
    ours-whole-prompt             `Describer` that reads the prompt's start for every photo
    ours-sdpa                     `Describer` with PyTorch's attention kernel
    ours-contiguous               `Describer` without channels-last kernels
    ours-giving-back              `Describer` that gives memory back as soon as it is free
    ours-int8                     `Describer` with torch's dynamic int8 products (here alone)

`--quality` describes validation photos with `ours`, `ours-bfloat16` and `ours-int8` and gives the
paired bootstrap's interval of each difference in CIDEr-D. Writes describing_quality-<name>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from measuring import accelerator, processor, spread

ROOT = Path(__file__).resolve().parent.parent
ONE_BY_ONE = ("pipeline", "generate")
PEERS = (
    *("pipeline", "pipeline-batched", "generate", "generate-batched", "ours", "ours-bfloat16"),
    *("ours-bfloat16-cudnn", "ours-by-generate", "ours-unpacked", "ours-whole-prompt", "ours-int8"),
    *("ours-sdpa", "ours-contiguous", "ours-giving-back"),
)
Describe = Callable[[list[str]], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--singly", type=int, default=8, help="photos for peers one by one")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--side", type=int, help="longest side to which photos are shrunk before")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--name", default="cpu", help="of the result")
    parser.add_argument("--worker", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print("RESULT " + json.dumps(work(args)))
        return
    if args.quality:
        quality(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = equal_lengths(args, Path(folder) / "model")
        turns = []
        for turn in range(args.repeats):
            shift = turn % len(args.peers)
            order = args.peers[shift:] + args.peers[:shift]
            turns.append({peer: run(peer, model) for peer in order})
            told = {peer: round(found["speed"], 2) for peer, found in turns[-1].items()}
            print(f"turn {turn + 1}: {told}", file=sys.stderr, flush=True)
    result = summary(args, turns)
    write(f"describing_speed-{args.name}.json", result)
    print_table(result)


def run(peer: str, model: Path) -> dict[str, Any]:
    """One peer in a process of its own."""
    more = ["--worker", peer, "--folder", str(model)]
    command = [sys.executable, __file__, *sys.argv[1:], *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{peer} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return found


def equal_lengths(args: argparse.Namespace, folder: Path) -> Path:
    """A copy of the model that never ends a text by itself, where all are to be equally long."""
    if not args.new_tokens:
        return args.model  # type: ignore[no-any-return]
    shutil.copytree(args.model, folder)
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    ends = settings["eos_token_id"]
    ends = ends if isinstance(ends, list) else [ends]
    suppressed = {*(settings.get("suppress_tokens") or []), *ends}
    path.write_text(json.dumps(settings | {"suppress_tokens": sorted(suppressed)}))
    return folder


def summary(args: argparse.Namespace, turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Speeds, ratios within a turn, and how many texts are those of plain `generate`."""
    known = ("generate", "generate-batched", args.peers[0])
    reference = next(peer for peer in known if peer in args.peers)
    peers: dict[str, Any] = {}
    for peer in args.peers:
        texts, others = turns[0][peer]["texts"], turns[0][reference]["texts"]
        equal = [text == other for text, other in zip(texts, others, strict=False)]
        peers[peer] = {
            "photos_a_second": spread([turn[peer]["speed"] for turn in turns]),
            "photos_a_cpu_second": spread([turn[peer]["a_cpu_second"] for turn in turns]),
            "equal_texts": round(statistics.mean(equal), 4),
            "compared_texts": len(equal),
        }
        for base in ("pipeline", "pipeline-batched"):
            if base in args.peers:
                for name, key in (("times", "speed"), ("cpu_times", "a_cpu_second")):
                    ratios = [turn[peer][key] / turn[base][key] for turn in turns]
                    peers[peer][f"{name}_{base}"] = spread(ratios)
    return about(args) | {"texts_beside": reference, "peers": peers}


def about(args: argparse.Namespace) -> dict[str, Any]:
    import torch
    import transformers

    return {
        "photos": args.photos,
        "one_by_one": args.singly,
        "batch": args.batch,
        "new_tokens": args.new_tokens or None,
        "side": args.side,
        "threads": args.threads,
        "processor": processor(),
        "accelerator": accelerator(),
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
    }


def write(name: str, result: dict[str, Any]) -> None:
    out = ROOT / "benchmarks" / "results" / name
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def print_table(result: dict[str, Any]) -> None:
    names = ("photos_a_second", "photos_a_cpu_second")
    names += ("times_pipeline", "times_pipeline-batched", "cpu_times_pipeline-batched")
    print(f"{'':18}" + "".join(f"{name.replace('_', ' '):>28}" for name in names) + "  equal texts")
    for peer, found in result["peers"].items():
        cells = [
            f"{one['median']:.3g} [{one['low']:.3g}, {one['high']:.3g}]" if one else "-"
            for one in map(found.get, names)
        ]
        equal = f"{found['equal_texts']:.0%} of {found['compared_texts']}"
        print(f"{peer:18}" + "".join(f"{cell:>28}" for cell in cells) + f"  {equal}")


# ---- one peer ------------------------------------------------------------------------------------


def work(args: argparse.Namespace) -> dict[str, Any]:
    """Describe the photos once; texts and photos a second."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    describe = peer_of(args)
    count = args.singly if args.worker in ONE_BY_ONE else args.photos
    photos = photos_of(args)[: args.photos]
    describe(photos[: 2 if args.worker in ONE_BY_ONE else 4])
    start, busy = time.perf_counter(), time.process_time()
    texts = describe(photos[:count])
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    return {"speed": count / seconds, "a_cpu_second": count / busy, "texts": texts}


def photos_of(args: argparse.Namespace) -> list[str]:
    from hazardscribe import read_pairs

    photos = [row["photo"] for row in read_pairs(args.data)["validation"]]
    if args.side:
        return [shrunk(photo, args) for photo in photos[: args.photos]]
    return photos


def shrunk(photo: str, args: argparse.Namespace) -> str:
    """The photo as a PNG that `Describer` does not shrink, so that every peer sees its pixels."""
    target = ROOT / "runs" / "describing_speed" / f"{Path(photo).stem}-{args.side}.png"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = opened(photo)
        picture.thumbnail((args.side, args.side))
        picture.save(target)
    return str(target)


def peer_of(args: argparse.Namespace) -> Describe:
    name, _, how = args.worker.partition("-")
    if name == "ours":
        return ours(args.folder, how, args.batch, args.new_tokens)
    batch = args.batch if how == "batched" else 1
    return (by_pipeline if name == "pipeline" else by_generate)(args, batch)


def ours(folder: Path, how: str, batch: int, new_tokens: int) -> Describe:
    """`Describer` as users call it, or with one lever let go."""
    import torch

    from hazardscribe import Describer
    from hazardscribe.describing import generate, greedy, packed
    from hazardscribe.model import composed
    from hazardscribe.model.memory import keep_freed_memory

    if how in ("unpacked", "int8"):
        packed.can_pack = lambda vlm: False
    if how == "by-generate":
        greedy.fits = lambda vlm, inputs: False
    if how == "whole-prompt":
        composed.shared_length = lambda rows, start: 0
    if how == "sdpa":
        packed.use_short_attention = lambda vlm: None
    if how == "bfloat16-cudnn":
        generate.growing_text_kernels = lambda device: nullcontext()
    if how == "contiguous":
        packed.lay_out_convolutions = lambda vlm: None
    if how != "giving-back":
        keep_freed_memory()  # as `hazardscribe describe` does
    describer = Describer(
        folder,
        batch_size=batch,
        max_new_tokens=new_tokens or 96,
        precision="bfloat16" if "bfloat16" in how else "float32",
        calibrated=False,
    )
    if how == "int8":
        parts = {torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}
        model = describer.vlm.model
        model.language_model = torch.ao.quantization.quantize_dynamic(model.language_model, parts)
        head = torch.nn.Sequential(describer.vlm.lm_head)
        describer.vlm.lm_head = torch.ao.quantization.quantize_dynamic(head, parts)
    return lambda photos: [one.text for one in describer(photos)]


def loaded(args: argparse.Namespace) -> tuple[Any, Any, list[dict[str, Any]]]:
    """Model and processor by plain transformers, and the messages around a photo."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from hazardscribe.model.checkpoint import load_card

    model = AutoModelForImageTextToText.from_pretrained(args.folder, dtype=torch.float32).eval()
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")  # where `Describer` runs
    content = [{"type": "image"}, {"type": "text", "text": load_card(args.folder).prompt}]
    messages = [{"role": "user", "content": content}]
    return model, AutoProcessor.from_pretrained(args.folder), messages


def by_pipeline(args: argparse.Namespace, batch: int) -> Describe:
    from transformers import pipeline

    model, processor, messages = loaded(args)
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True)
    pipe = pipeline("image-text-to-text", model=model, processor=processor, device=model.device)

    def describe(photos: list[str]) -> list[str]:
        texts: list[str] = []
        for i in range(0, len(photos), batch):
            some = photos[i : i + batch]
            found = pipe(
                images=[opened(photo) for photo in some],
                text=[prompt] * len(some),
                batch_size=batch,
                return_full_text=False,
                generate_kwargs={"max_new_tokens": args.new_tokens or 96, "do_sample": False},
            )
            texts += [
                (one[0] if isinstance(one, list) else one)["generated_text"].strip()
                for one in found
            ]
        return texts

    return describe


def by_generate(args: argparse.Namespace, batch: int) -> Describe:
    import torch

    model, processor, messages = loaded(args)
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True)

    @torch.inference_mode()
    def describe(photos: list[str]) -> list[str]:
        texts: list[str] = []
        for i in range(0, len(photos), batch):
            some = photos[i : i + batch]
            inputs = processor(
                images=[opened(photo) for photo in some],
                text=[prompt] * len(some),
                return_tensors="pt",
                add_special_tokens=False,
            ).to(model.device)
            output = model.generate(**inputs, max_new_tokens=args.new_tokens or 96, do_sample=False)
            new = output[:, inputs["input_ids"].shape[1] :]
            found = processor.batch_decode(new, skip_special_tokens=True)
            texts += [text.strip() for text in found]
        return texts

    return describe


def opened(photo: str) -> Any:
    from PIL import Image

    with Image.open(photo) as picture:
        return picture.convert("RGB")


# ---- what a lower precision costs ----------------------------------------------------------------


def quality(args: argparse.Namespace) -> None:
    """Scores of the descriptions of a trained model in each precision, and their differences."""
    import torch

    from hazardscribe import read_pairs
    from hazardscribe.evaluation.paired import paired_differences
    from hazardscribe.evaluation.photo_scores import Truth
    from hazardscribe.evaluation.rows import cases_from_rows
    from hazardscribe.evaluation.rules import Rules
    from hazardscribe.model.checkpoint import load_card
    from hazardscribe.pairs.targets import target_texts

    torch.set_num_threads(args.threads)
    card = load_card(args.model)
    rows = list(read_pairs(args.data)["validation"])
    photos = [row["photo"] for row in rows]
    texts = {how: ours(args.model, how, args.batch, 0)(photos) for how in ("", "bfloat16")}
    texts["int8"] = ours(args.model, "int8", args.batch, 0)(photos)
    described = dict(zip(photos, texts[""], strict=True))
    cases = cases_from_rows(rows, target_texts(rows, card.target), described)
    truth = Truth.of(cases, Rules.load(card.language), card.language)
    result = about(args) | {"photos": len(photos), "differences": {}}
    for how in ("bfloat16", "int8"):
        found = paired_differences(truth, ours=[texts[how]], theirs=[texts[""]])["cider_d"]
        equal = statistics.mean(a == b for a, b in zip(texts[how], texts[""], strict=True))
        result["differences"][how] = {
            "cider_d": round(found.value, 4),
            "low": round(found.low, 4),
            "high": round(found.high, 4),
            "equal_texts": round(equal, 4),
        }
        print(how, result["differences"][how])
    write(f"describing_quality-{args.name}.json", result)


if __name__ == "__main__":
    main()
