"""The peers of benchmarks/training_speed.py: each makes its trainer for the same work."""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import random
import resource
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from counting import operations
from measuring import passing_folder

WARM = 2  # steps left out of the timing


def work(args: argparse.Namespace) -> dict[str, Any]:
    """Train a peer, or only draw its batches."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    # Photos decoded before would make the first epoch cheap.
    os.environ["HAZARDSCRIBE_CACHE"] = str(passing_folder())
    begin = time.perf_counter()
    trainer, losses, ticks = (ours if args.worker.startswith("ours") else peer)(args)
    in_use = watch_memory(trainer)
    counted = count_first_step(trainer)
    if args.data_path:
        seconds = batches_only(trainer, args)
    else:
        trainer.train()
        steps = [b - a for a, b in itertools.pairwise(ticks)]
        seconds = statistics.median(steps[WARM:])
    return {
        "seconds": seconds,
        "total_seconds": time.perf_counter() - begin,
        "losses": losses,
        "in_use_mib": max(in_use, default=0),
        "peak_mib": peak_mib(),
        "teraflop": sum(counted) / 1e12,
    }


def peak_mib() -> float:
    """Of the GPU where there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def batches_only(trainer: Any, args: argparse.Namespace) -> float:
    """Seconds a batch from the second epoch on."""
    loader = trainer.get_train_dataloader()
    for _ in loader:
        pass
    start, count = time.perf_counter(), 0
    for _ in loader:
        count += 1
    return (time.perf_counter() - start) / count


def ours(args: argparse.Namespace) -> tuple[Any, list[float], list[float]]:
    import torch

    from hazardscribe.model import composed, prompting
    from hazardscribe.training import callbacks, products
    from hazardscribe.training import session as session_module
    from hazardscribe.training.callbacks import StopOnSignal
    from hazardscribe.training.likelihood import LikelihoodSession

    if args.worker == "ours-giving-back":
        session_module.keep_freed_memory = lambda: False
    if args.worker == "ours-never-giving-back":
        callbacks.give_back_freed_memory = lambda: False
    if args.worker == "ours-onednn":
        products.pays = lambda: True
    if args.worker == "ours-sdpa":
        session_module.use_short_attention = lambda vlm: None
    if args.worker == "ours-whole-prompt":
        composed.shared_length = lambda rows, start: 0
    if "padded" in args.worker:
        pad = prompting._pad
        prompting._pad = lambda rows, value: to_multiple(pad(rows, value), value)
    session = LikelihoodSession(pairs_of(args), recipe_of(args), passing_folder(), False)
    if "contiguous" in args.worker:
        session.module.to(memory_format=torch.contiguous_format)
    if "mkl" in args.worker:
        for layer in session.module.modules():
            if type(layer) is products.OneDnnLinear:
                layer.__class__ = torch.nn.Linear
    trainer = session.trainer(StopOnSignal())
    open_to_compiler(session.vlm)
    only_steps(trainer)
    losses, ticks = watch(trainer, "caption_loss")
    return trainer, losses, ticks


def open_to_compiler(vlm: Any) -> None:
    """Take off what a compiler older than the package asks for cannot look into.

    Before 2.13, hooks by which transformers may collect attention maps cut a block into four.
    """
    import torch

    from hazardscribe.training.compiled import blocks_of

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 13):
        for block in blocks_of(vlm):
            for part in block.modules():
                if part is not block:
                    part._forward_hooks.clear()


def to_multiple(batch: Any, value: int, of: int = 16) -> Any:
    """`(B, L)` padded on the right to the next multiple, so that batches have few lengths."""
    import torch

    return torch.nn.functional.pad(batch, (0, -batch.shape[1] % of), value=value)


def peer(args: argparse.Namespace) -> tuple[Any, list[float], list[float]]:
    """TRL's trainer or a plain one, on the rows in the order in which ours takes them."""
    import torch
    from datasets import Dataset, Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from hazardscribe.model.prompting import Prompter
    from hazardscribe.pairs.targets import target_texts
    from hazardscribe.training.batches import BucketSampler

    recipe, rows = recipe_of(args), list(pairs_of(args)["train"])
    texts = target_texts(rows, args.target)
    model = AutoModelForImageTextToText.from_pretrained(args.start, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(args.start)
    prompter = Prompter(processor, model, prompt_of(args))
    order = epochs(BucketSampler([1] * len(rows), args.batch, recipe.seed), args)
    end = processor.tokenizer.decode([prompter.end_id])
    dataset = Dataset.from_dict(
        {
            "images": [[rows[i]["photo"]] for i in order],
            "prompt": [prompter.prompt_text] * len(order),
            "completion": [texts[i] + end for i in order],
        }
    )
    dataset = dataset.cast_column("images", [Image()])
    optimizer = torch.optim.AdamW(groups(model, recipe), betas=(0.9, 0.95), eps=1e-8, fused=True)
    settings: dict[str, Any] = {
        "output_dir": str(passing_folder()),
        "max_steps": args.steps,
        "per_device_train_batch_size": args.batch,
        "logging_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "lr_scheduler_type": "constant",
        "max_grad_norm": recipe.max_grad_norm,
        "use_cpu": not torch.cuda.is_available(),
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "seed": 0,
    }
    if args.worker != "trl-defaults":
        settings |= {
            "bf16": args.precision == "bfloat16",
            "gradient_checkpointing": False,
            "dataloader_num_workers": args.workers,
        }
    kind = plain_trainer if args.worker == "plain" else trl_trainer
    trainer = kind(model, processor, dataset, settings, optimizer)
    losses, ticks = watch(trainer, "loss")
    return trainer, losses, ticks


def trl_trainer(
    model: Any, processor: Any, dataset: Any, settings: dict[str, Any], optimizer: Any
) -> Any:
    from torch.utils.data import SequentialSampler
    from trl import SFTConfig, SFTTrainer

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return SequentialSampler(self.train_dataset)

    return InOrder(
        model=model,
        args=SFTConfig(**settings, max_length=None),
        train_dataset=dataset,
        processing_class=processor,
        optimizers=(optimizer, None),
    )


def plain_trainer(
    model: Any, processor: Any, dataset: Any, settings: dict[str, Any], optimizer: Any
) -> Any:
    import torch
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainingArguments

    class InOrder(Trainer):
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return SequentialSampler(self.train_dataset)

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch = processor(
            images=[row["images"] for row in rows],
            text=[row["prompt"] + row["completion"] for row in rows],
            return_tensors="pt",
            padding=True,
            padding_side="right",
            add_special_tokens=False,
        )
        prompt = processor(
            images=rows[0]["images"], text=rows[0]["prompt"], add_special_tokens=False
        )
        labels = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
        labels[:, : len(prompt["input_ids"][0])] = -100
        return dict(batch) | {"labels": labels}

    return InOrder(
        model=model,
        args=TrainingArguments(**settings),
        train_dataset=dataset,
        data_collator=collate,
        optimizers=(optimizer, None),
    )


def watch(trainer: Any, name: str) -> tuple[list[float], list[float]]:
    """Losses as logged, and the time at which each step began."""
    from transformers import TrainerCallback

    losses: list[float] = []
    ticks: list[float] = []

    class Watch(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            ticks.append(time.perf_counter())

        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            if name in logs:
                losses.append(logs[name])

    trainer.add_callback(Watch())
    return losses, ticks


def watch_memory(trainer: Any) -> list[float]:
    """What is in use after each forward pass, of the GPU or by malloc, in MiB."""
    import torch

    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"

    class Mallinfo2(ctypes.Structure):  # of glibc's malloc.h
        _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = Mallinfo2
    found: list[float] = []
    former = trainer.compute_loss

    def compute_loss(*args: Any, **kwargs: Any) -> Any:
        loss = former(*args, **kwargs)
        if torch.cuda.is_available():
            found.append(torch.cuda.memory_allocated() / 2**20)
        else:
            told = ask()
            found.append((told.uordblks + told.hblkhd) / 2**20)
        return loss

    trainer.compute_loss = compute_loss
    return found


def count_first_step(trainer: Any) -> list[float]:
    """Floating-point operations of the first step, which is not timed."""
    import torch

    found: list[float] = []
    former = trainer.training_step

    def training_step(*args: Any, **kwargs: Any) -> Any:
        if found:
            return former(*args, **kwargs)
        # What runs compiled is out of the counter's sight.
        with torch.compiler.set_stance("force_eager"), operations() as counter:
            loss = former(*args, **kwargs)
        found.append(float(counter.get_total_flops()))
        return loss

    trainer.training_step = training_step
    return found


def only_steps(trainer: Any) -> None:
    """No evaluation and no saving; a line of losses every step."""
    trainer.args.logging_steps = 1
    trainer.keep_by(lambda: {trainer.args.metric_for_best_model: 0.0}, lambda scores: None, 0)
    trainer._save_checkpoint = lambda *_, **__: None


def recipe_of(args: argparse.Namespace) -> Any:
    from hazardscribe import Recipe

    rate = {"learning_rate": args.rate}
    weight = 0.3 if args.worker == "ours-both" else 0
    return Recipe.from_dict(
        {
            "start": str(args.start),
            "target": args.target,
            "prompt": prompt_of(args),
            "tower": rate | {"compute": args.tower_precision},
            "projector": rate | {"compute": args.tower_precision},
            "llm": rate | {"compute": args.precision},
            "tower_norm": "moving",  # as the peers leave it
            "alignment": {"weight": weight, "text_encoder": "lsa"},
            "compile": "compiled" in args.worker,
            "workers": args.workers,
            "steps": args.steps,
            "batch_size": args.batch,
            "schedule": "constant",
            "warmup": 0.0,
            "augmentation": {"mirror": 0.0, "brightness": 0.0, "crop": 0.0},
            # Photos of this size reach the model with the peers' very pixels, so losses can agree.
            "image_bound": 512 if args.megapixels is None else None,
        }
    )


def prompt_of(args: argparse.Namespace) -> str:
    return "Describe the safety hazard in this photo."


def groups(model: Any, recipe: Any) -> list[dict[str, Any]]:
    """Matrices with weight decay, vectors without, as ours."""
    rate = recipe.llm.learning_rate
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {
            "params": [p for p in parameters if (p.ndim >= 2) == decays],
            "lr": rate,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for decays in (True, False)
    ]


def epochs(sampler: Any, args: argparse.Namespace) -> list[int]:
    """Rows in the order in which ours takes them, as many as the steps need."""
    order: list[int] = []
    for epoch in count_epochs(args, len(sampler)):
        sampler.set_epoch(epoch)
        order += [row for row, _ in sampler]
    return order


def count_epochs(args: argparse.Namespace, rows: int) -> Iterator[int]:
    """One epoch where only batches are drawn, else as many as hold the steps."""
    steps_an_epoch = -(-rows // args.batch)
    return iter(range(1 if args.data_path else -(-args.steps // steps_an_epoch)))


def pairs_of(args: argparse.Namespace) -> Any:
    """The pairs, blown up to phone photos where asked; those are made once."""
    from hazardscribe import read_pairs

    if args.megapixels is None:
        return read_pairs(args.data)
    folder = args.work / f"{args.megapixels:g}-megapixels"
    if not (folder / "pairs.csv").exists():
        blow_up(args, folder)
    return read_pairs(folder)


def blow_up(args: argparse.Namespace, folder: Path, most: int = 128) -> None:
    """A selection of the photos as large JPEGs, with their texts."""
    import csv

    from hazardscribe import read_pairs
    from hazardscribe.pairs.targets import target_texts

    pairs = read_pairs(args.data)
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    lines = []
    for split in ("train", "dev"):
        rows = list(pairs[split])
        texts = target_texts(rows, args.target)
        chosen = random.Random(0).sample(
            range(len(rows)), min(most if split == "train" else 8, len(rows))
        )

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            names = [f"photos/{split}{i}.jpg" for i in chosen]
            photos = [rows[i]["photo"] for i in chosen]
            targets = [folder / name for name in names]
            list(threads.map(partial(blow_up_photo, args.megapixels), photos, targets))
        lines += [[name, texts[i], texts[i], split] for name, i in zip(names, chosen, strict=True)]
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["photo", "description", "description_en", "split"], *lines])


def blow_up_photo(megapixels: float, photo: str, target: Path) -> None:
    from PIL import Image

    with Image.open(photo) as picture:
        picture = picture.convert("RGB")
    scale = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
    size = (round(picture.width * scale), round(picture.height * scale))
    picture.resize(size, Image.Resampling.BICUBIC).save(target, quality=92)
