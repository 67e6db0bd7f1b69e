"""What a recipe costs with the start it recommends: memory, disk, seconds a step and a photo.

    python benchmarks/recipe_cost.py cpu --data DIR --vision TOWER --llm LLM
    python benchmarks/recipe_cost.py site-ppe-en --data DIR --vision TOWER --llm LLM --texts ENCODER

The starts of the recipes called site-ppe are made of the parts given. Memory and time do not depend
on what the weights say, so the other starts are untrained, with LLM's tokenizer, and of the
published shapes: Qwen3-0.6B (its config.json: 28 blocks, 1024 wide, 16 heads over 8 of keys and
values of 128, 3072 between, 151,936 tokens), SigLIP 2 base (ViT-B/16, 224 pixels) and Qwen3-VL-2B
and -8B (torchtitan's `qwen3_vl_configs` has the same figures). The texts that such a
model writes say nothing; they have at most --new-tokens tokens, and the result tells how many.

Each recipe runs as it stands for --steps steps, with one evaluation, checkpoint and model at the
end, in a process of its own; another describes --photos photos. The steps of a composed start
that train the encoder alone are told apart from those that train all. --megapixels blows the
photos up, since some models take more tokens for larger ones; --set changes the recipe; --gpu-gib
leaves PyTorch no more of a larger GPU than a smaller one has. Writes
benchmarks/results/recipe_cost-<recipe>-<name>.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from measuring import accelerator, processor

ROOT = Path(__file__).resolve().parent.parent
WARM = 2  # steps that do not count
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=STARTS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--llm", type=Path, required=True, help="folder of a language model")
    parser.add_argument("--vision", type=Path, help="convolutional tower, where there is no GPU")
    parser.add_argument("--texts", type=Path, help="text encoder, where the recipe names one")
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--photos", type=int, default=32, help="to describe")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--megapixels", type=float, help="blow the photos up to JPEGs of this size")
    parser.add_argument("--gpu-gib", type=float, help="memory that PyTorch may take of the GPU")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "recipe_cost")
    parser.add_argument("--name", default="cpu", help="of the result")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if args.job:
        if args.gpu_gib:
            import torch

            whole = torch.cuda.get_device_properties(0).total_memory / GIB
            torch.cuda.set_per_process_memory_fraction(args.gpu_gib / whole)
        print("RESULT " + json.dumps(JOBS[args.job](args)))
        return
    found = {job: run(job) for job in JOBS}
    result = {
        "recipe": args.recipe,
        "changes": args.set,
        "gpu_gib": args.gpu_gib,
        "megapixels": args.megapixels,
        "target": args.target,
        "processor": processor(),
        "threads": os.cpu_count(),
        "accelerator": accelerator(),
        **found,
    }
    out = ROOT / "benchmarks" / "results" / f"recipe_cost-{args.recipe}-{args.name}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def run(job: str) -> dict[str, Any]:
    """One job in a process of its own, whose peak is its alone."""
    command = [sys.executable, __file__, *sys.argv[1:], "--job", job]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{job} failed with exit code {done.returncode}")
    print(job, lines[-1], file=sys.stderr)
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return found


# ---- the starts ----------------------------------------------------------------------------------


def start(args: argparse.Namespace) -> dict[str, Any]:
    """Make the start, where it is not there yet."""
    folder = args.work / f"{args.recipe}-start"
    if not folder.exists():
        STARTS[args.recipe](args, folder)
    weights = sum(one.stat().st_size for one in folder.glob("*.safetensors"))
    return {"weights_gib": round(weights / GIB, 2)}


def composed(args: argparse.Namespace, folder: Path) -> None:
    """`init` with a Qwen3-0.6B, and the tower that the recipe's comment names."""
    import torch
    from transformers import (
        AutoTokenizer,
        Qwen3Config,
        Qwen3ForCausalLM,
        SiglipImageProcessor,
        SiglipVisionConfig,
        SiglipVisionModel,
    )

    from hazardscribe import verbs

    torch.manual_seed(0)
    parts = folder.with_name(f"{folder.name}-parts")
    tokenizer = AutoTokenizer.from_pretrained(args.llm)
    config = Qwen3Config(
        vocab_size=151_936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    Qwen3ForCausalLM(config).save_pretrained(parts / "llm")
    tokenizer.save_pretrained(parts / "llm")
    if args.recipe == "cpu":
        vision, more = args.vision, {"image_size": 256, "chat": "plain"}
    else:
        vision, more = parts / "vision", {}
        SiglipVisionModel(SiglipVisionConfig()).save_pretrained(vision)
        SiglipImageProcessor().save_pretrained(vision)
    verbs.init(folder, vision=str(vision), llm=str(parts / "llm"), target=args.target, **more)
    shutil.rmtree(parts)


def of_parts(args: argparse.Namespace, folder: Path) -> None:
    """`init` with the parts given, in Chinese with a language model from scratch."""
    from hazardscribe import verbs

    llm = "scratch" if args.recipe.endswith("zh") else str(args.llm)
    plain = {"image_size": 256, "chat": "plain", "target": args.target}
    verbs.init(folder, vision=str(args.vision), llm=llm, data=args.data, **plain)


def qwen3_vl(args: argparse.Namespace, folder: Path) -> None:
    """A whole Qwen3-VL, 2B or 8B."""
    import torch
    from transformers import (
        AutoTokenizer,
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    small = args.recipe == "gpu-24gb"
    tokenizer = AutoTokenizer.from_pretrained(args.llm)
    marks = [f"<|{one}|>" for one in ("vision_start", "vision_end", "image_pad", "video_pad")]
    tokenizer.add_tokens(marks, special_tokens=True)
    ids = dict(zip(marks, tokenizer.convert_tokens_to_ids(marks), strict=True))
    wide = 2048 if small else 4096
    text = {
        "vocab_size": 151_936,
        "hidden_size": wide,
        "intermediate_size": 6144 if small else 12288,
        "num_hidden_layers": 28 if small else 36,
        "num_attention_heads": 16 if small else 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
            "rope_theta": 5_000_000.0,
        },
    }
    vision = {
        "depth": 24 if small else 27,
        "hidden_size": 1024 if small else 1152,
        "intermediate_size": 4096 if small else 4304,
        "num_heads": 16,
        "patch_size": 16,
        "out_hidden_size": wide,
        "deepstack_visual_indexes": [5, 11, 17] if small else [8, 16, 24],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=small,
    )
    geometry = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    sides = {"shortest_edge": 256 * 256, "longest_edge": 4096 * 4096}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(**geometry, size=sides),
        tokenizer,
        Qwen3VLVideoProcessor(**geometry),
        chat_template=(
            "{% for message in messages %}<|im_start|>{{ message.role }}\n"
            "{% for part in message.content %}{% if part.type == 'image' %}"
            "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
            "{% endfor %}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        ),
    )
    torch.manual_seed(0)
    # As published; where there is a GPU, it draws the weights faster.
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = Qwen3VLForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


STARTS: dict[str, Callable[[argparse.Namespace, Path], None]] = {
    "site-ppe-zh": of_parts,
    "site-ppe-en": of_parts,
    "cpu": composed,
    "gpu-8gb": composed,
    "gpu-24gb": qwen3_vl,
    "gpu-80gb": qwen3_vl,
}


# ---- the jobs ------------------------------------------------------------------------------------


def train(args: argparse.Namespace) -> dict[str, Any]:
    """The recipe for a few steps, with all that a run writes."""
    from hazardscribe import Recipe, verbs
    from hazardscribe.training.likelihood import LikelihoodSession
    from training_peers import pairs_of, watch

    recipe = Recipe.load(ROOT / "recipes" / f"{args.recipe}.yaml")
    changed = {
        key: replace(getattr(recipe, key), **value) if isinstance(value, dict) else value
        for key, value in changes(args.set).items()
    }
    recipe = replace(
        recipe,
        start=str(args.work / f"{args.recipe}-start"),
        target=args.target,
        steps=args.steps,
        evaluate_every=args.steps,
        evaluate_photos=recipe.batch_size,
        alignment=replace(recipe.alignment, text_encoder=str(args.texts))
        if args.texts
        else recipe.alignment,
        calibrate=False,
        **changed,
    )
    watched: list[tuple[int, list[float]]] = []
    former = LikelihoodSession.trainer

    def trainer_of(session: LikelihoodSession, *more: Any) -> Any:
        trainer = former(session, *more)
        _, ticks = watch(trainer, "caption_loss")
        watched.append((trainer.first_steps, ticks))
        return trainer

    LikelihoodSession.trainer = trainer_of
    out = args.work / f"{args.recipe}-run"
    shutil.rmtree(out, ignore_errors=True)
    begin = time.perf_counter()
    run = verbs.train(pairs_of(args), recipe, out)
    total = time.perf_counter() - begin
    [(first, ticks)] = watched
    seconds = [b - a for a, b in itertools.pairwise(ticks)]
    return {
        "steps": args.steps,
        "photos_a_step": recipe.batch_size * recipe.accumulation,
        "seconds_encoder_alone": middle(seconds[WARM:first]),
        "seconds_all": middle(seconds[first + WARM :]),
        "total_seconds": round(total, 1),
        "checkpoint_gib": size(max((out / "checkpoints").iterdir())),
        "model_gib": size(run.model),
        **peaks(),
    }


def changes(given: list[str]) -> dict[str, Any]:
    """Keys of the recipe's first level, their values as in YAML."""
    from ruamel.yaml import YAML

    pairs = (one.partition("=") for one in given)
    return {key: YAML(typ="safe").load(value) for key, _, value in pairs}


def describe(args: argparse.Namespace) -> dict[str, Any]:
    """Greedy descriptions by the trained model, as the server makes them."""
    from hazardscribe import Describer
    from training_peers import pairs_of

    photos = [str(row["photo"]) for row in pairs_of(args)["train"]][: args.photos]
    model = args.work / f"{args.recipe}-run" / "model"
    describer = Describer(model, max_new_tokens=args.new_tokens)
    list(describer.stream(photos[:2]))
    begin = time.perf_counter()
    described = list(describer.stream(photos))
    seconds = time.perf_counter() - begin
    return {
        "seconds_a_photo": round(seconds / len(photos), 4),
        # A model that was trained for a few steps may have learned to end early.
        "tokens_a_photo": round(sum(one.tokens for one in described) / len(photos), 1),
        **peaks(),
    }


JOBS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "start": start,
    "train": train,
    "describe": describe,
}


def middle(seconds: list[float]) -> float | None:
    return round(statistics.median(seconds), 3) if seconds else None


def size(folder: Path) -> float:
    return round(sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / GIB, 2)


def peaks() -> dict[str, float | None]:
    """Most memory that this process has held, of the machine and of its GPU, in GiB."""
    import torch

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    on_gpu = torch.cuda.max_memory_reserved() / GIB if torch.cuda.is_available() else None
    return {"peak_gib": round(held, 2), "gpu_peak_gib": on_gpu and round(on_gpu, 2)}


if __name__ == "__main__":
    main()
