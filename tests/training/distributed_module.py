"""The same small training module and batch in every process of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import tiny
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.prompting import IGNORED, Prompter
from hazardscribe.model.text_bank import TextBank
from hazardscribe.objectives.alignment import AlignmentHead
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Lora, Part, Recipe
from hazardscribe.training.tuning import apply_tuning, find_unreached, freeze_unreached

TEXTS = tiny.TEXTS["zh"][:4]


def training_module(folder: Path, adapters: bool) -> tuple[TrainingModule, dict[str, Any]]:
    """Module and a batch of four photos, from the model in `FOLDER/start`."""
    recipe = Recipe(start="x")
    if adapters:
        llm = Part(tune="lora", compute="bfloat16")
        recipe = Recipe(start="x", llm=llm, lora=Lora(rank=2))
    torch.manual_seed(0)
    loaded = load_checkpoint(folder / "start")
    apply_tuning(loaded.vlm, recipe)
    bank = TextBank(TEXTS, LsaEncoder(TEXTS))
    head = AlignmentHead(loaded.vlm.get_input_embeddings().weight.shape[1], bank.vectors.shape[1])
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    draw = np.random.default_rng(0)
    photos = [draw.integers(0, 256, (48, 48, 3), dtype=np.uint8) for _ in TEXTS]
    batch = prompter.training_batch(photos, TEXTS, 32)
    batch["bank_indices"] = torch.arange(len(TEXTS))
    module = TrainingModule(loaded.vlm, head, bank, recipe)
    freeze_unreached(module, find_unreached(module, batch))
    return module.train(), batch


def rows_of(batch: dict[str, Any], rows: slice) -> dict[str, Any]:
    return {name: value[rows] for name, value in batch.items()}


def optimizer_of(module: TrainingModule) -> torch.optim.Optimizer:
    return torch.optim.AdamW(module.parameter_groups(Recipe(start="x")), lr=1e-3)


def step(
    module: TrainingModule,
    optimizer: torch.optim.Optimizer,
    mine: dict[str, Any],
    every: dict[str, Any],
    world: int,
) -> dict[str, float]:
    """One optimizer step; the losses a supervised token and a photo of all processes."""
    counts = {"caption": int((every["labels"] != IGNORED).sum()), "alignment": len(every["labels"])}
    losses = {name: value / counts[name] for name, value in module(mine).items()}
    (sum(losses.values()) * world).backward()
    optimizer.step()
    optimizer.zero_grad()
    found = {}
    for name, value in losses.items():
        value = value.detach()
        if world > 1:
            torch.distributed.all_reduce(value)
        found[name] = float(value)
    return found
