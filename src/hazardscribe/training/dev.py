"""The split `dev` of a run: which scores it defines, and those of the present weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.evaluation import evaluate_texts
from hazardscribe.evaluation.cases import check_cases
from hazardscribe.evaluation.photo_scores import Truth, photo_columns
from hazardscribe.evaluation.rows import cases_from_rows
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.scores import defined_formulas
from hazardscribe.model.prompting import Prompter
from hazardscribe.model.sequences import first_sequence
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.processes import processes
from hazardscribe.training.compiled import uncompiled
from hazardscribe.training.recipe import SCORES, Recipe
from hazardscribe.training.rows import Rows
from hazardscribe.training.sharding import is_sharded
from hazardscribe.training.together import gathered


class Dev:
    """Rows of `dev`, at most `evaluate_photos`, to be described and scored again and again.

    Attributes:
        undefined: scores that dev does not define, whatever is said of its photos, and why.
        warnings: what speaks against the scores of the last evaluation.
    """

    def __init__(
        self, rows: Rows, cache: PixelCache, language: str, rules: Rules, recipe: Recipe
    ) -> None:
        self._rows = rows.spread(recipe.evaluate_photos)
        self._cache, self._language, self._rules, self._recipe = cache, language, rules, recipe
        self.undefined = self._undefined()
        self.warnings: list[str] = []

    def _undefined(self) -> dict[str, str]:
        nothing = dict.fromkeys(self._rows.photos(), "")
        cases = cases_from_rows(self._rows, self._rows.texts(), nothing)
        check_cases(cases)
        truth = Truth.of(cases, self._rules, self._language)
        columns = photo_columns([""] * len(cases), truth, None, 0)
        _, undefined = defined_formulas(truth, columns, embedded=False)
        return undefined

    def scores(self, vlm: Any, prompter: Prompter, train_texts: Sequence[str]) -> dict[str, float]:
        """Describe the photos with the present weights and score the descriptions.

        Several processes share the photos, and all get the scores.

        Args:
            train_texts: of the training rows, for the baselines.
        """
        rows = self._rows
        if is_sharded(vlm):  # writing one text takes all processes, word by word
            texts = self._texts(vlm, prompter, rows)
        else:
            rank, world = processes()
            texts = [""] * len(rows)
            for first, part in enumerate(gathered(self._texts(vlm, prompter, rows[rank::world]))):
                texts[first::world] = part
        described = dict(zip(rows.photos(), texts, strict=True))
        evaluation = evaluate_texts(
            cases_from_rows(rows, rows.texts(), described),
            train_texts=train_texts,
            language=self._language,
            rules=self._rules,
            resamples=0,
        )
        self.warnings = list(evaluation.warnings)
        scores = {name: evaluation.metrics[name].value for name in SCORES}
        return {name: value for name, value in scores.items() if value is not None} | {
            "distinct_share": float(evaluation.metrics["distinct_share"])
        }

    @torch.inference_mode()
    def _texts(self, vlm: Any, prompter: Prompter, rows: Rows) -> list[str]:
        """Greedy descriptions by the present weights, each part in the type it is trained in."""
        recipe, texts = self._recipe, []
        device = next(vlm.parameters()).device
        reduced = recipe.tower.compute == "bfloat16"
        for i in range(0, len(rows), recipe.batch_size):
            photos = [self._cache.pixels(row["photo"]) for row in rows[i : i + recipe.batch_size]]
            inputs = prompter.inputs(photos, device)
            with uncompiled():
                with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
                    sequence = first_sequence(vlm, inputs)
                made = generate(
                    vlm,
                    prompter,
                    photos,
                    Decoding(max_new_tokens=recipe.max_text_tokens),
                    compute=getattr(torch, recipe.llm.compute),
                    inputs=inputs,
                    sequence=sequence,
                )
            texts += [description.texts[0] for description in made]
        return texts
