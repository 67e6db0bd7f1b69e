"""Evaluate a model on the rows of a split: describe, score, compare with baselines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hazardscribe.describing.comparing import check_comparable, model_name, new_to_both
from hazardscribe.describing.describer import Describer, Description
from hazardscribe.describing.doubt import ANSWERS
from hazardscribe.describing.nearest_photo import texts_of_nearest
from hazardscribe.errors import InputError
from hazardscribe.evaluation import Case, Evaluation, Rules, evaluate_texts
from hazardscribe.evaluation.comparison import compare
from hazardscribe.evaluation.result import Seen
from hazardscribe.evaluation.rows import cases_from_rows, hazard_of
from hazardscribe.evaluation.rules import rules_of
from hazardscribe.evaluation.selective import Answer
from hazardscribe.model.seen_photos import SeenPhotos, load_seen
from hazardscribe.model.text_encoder import LSA, default_pooling, embed, load_text_encoder
from hazardscribe.pairs.fingerprints import fingerprints
from hazardscribe.pairs.left_out import tell_unreadable
from hazardscribe.pairs.targets import target_texts

logger = logging.getLogger(__name__)

Rows = Sequence[Mapping[str, Any]]


def evaluate(
    describer: Describer,
    rows: Rows | Any,
    train_rows: Rows | Any | None = None,
    *,
    rules: str | Path | None = None,
    text_encoder: str = LSA,
    text_prefix: str = "",
    resamples: int = 1000,
    seed: int = 0,
    left_out: int = 0,
    against: Describer | None = None,
    progress: bool = False,
) -> Evaluation:
    """Describe the photos of a split and score the descriptions beside three baselines.

    What is scored are the drafts; what a calibrated model's doubt changes is in `.trust`.

    Args:
        describer: the model. rows: a split of `read_pairs`, such as `pairs["validation"]`.
        train_rows: the training split, for the baselines; without it they are left out.
        rules: a rule file; default: the model's own, else those shipped for its language. What is
            said in doubt is understood whatever the file holds.
        text_encoder: for `text_similarity`: `lsa`, fitted on the training texts, or a model folder.
        text_prefix: put in front of each text for that encoder.
        resamples: of the bootstrap. seed: of bootstrap and shuffle test.
        left_out: photos that `read_pairs` left out, for the account in the report.
        against: another model, such as the one in service, to compare with on the photos that
            neither of the two knows from its training: `.against`.

    Raises:
        InputError: if the split is empty or none of its photos can be read, or the two models
            cannot be compared. Single photos that cannot be read are left out, counted in
            `.counts["unreadable"]` and told in `.warnings`.
    """
    rows = list(rows)
    if not rows:
        raise InputError("evaluate: the split holds no rows; choose another with --split")
    target, language = describer.card.target, describer.card.language
    if against is not None:
        check_comparable(describer, against)
    # What is refused for its own sake is refused before all photos are described.
    read_by, other_rules = _rules(describer, rules)
    train_rows = list(train_rows) if train_rows is not None else []
    train_texts = target_texts(train_rows, target)
    known = load_seen(describer.folder)
    vectors = _embedding(text_encoder, train_texts, text_prefix)
    photos = list(dict.fromkeys(str(row["photo"]) for row in rows))
    new = None if against is None else new_to_both(photos, describer, against)
    described = _describe(describer, photos, progress)
    # Of shards, whose photos are not decoded when they are read, some may not be readable.
    rows = [row for row in rows if str(row["photo"]) in described]
    predictions = {photo: one.draft for photo, one in described.items()}
    cases = cases_from_rows(rows, target_texts(rows, target), predictions)
    ordered = [described[case.photo] for case in cases]
    nearest = None
    if train_rows:
        train_photos = [str(row["photo"]) for row in train_rows]
        nearest = texts_of_nearest(describer, list(described), train_photos, train_texts)

    def scored(some: Sequence[Case], **options: Any) -> Evaluation:
        return evaluate_texts(
            some,
            language=language,
            rules=read_by,
            embed=vectors,
            seed=seed,
            resamples=resamples,
            **options,
        )

    evaluation = scored(
        cases,
        train_texts=train_texts,
        train_hazards=[hazard_of(row) for row in train_rows],
        nearest=nearest,
        confidences=[one.confidence for one in ordered],
        answers=_answers(describer, ordered),
        unreadable=len(photos) - len(described),
        left_out=left_out,
        other_rules=other_rules,
        seen=None if known is None else _seen(known, cases, describer.pixels, scored),
    )
    if against is None or new is None:
        return evaluation
    theirs = _describe(against, [photo for photo in described if photo in new], progress)
    fair = [case for case in cases if case.photo in theirs]
    sides = ((describer, described), (against, theirs))
    ours, others = (_answers(model, [of[case.photo] for case in fair]) for model, of in sides)
    comparison = compare(
        fair,
        [theirs[case.photo].draft for case in fair],
        (ours, others),
        model=model_name(against.folder),
        known=len(cases) - len(new & described.keys()),
        untold=known is None or load_seen(against.folder) is None,
        language=language,
        rules=read_by,
        resamples=resamples,
        seed=seed,
    )
    return replace(evaluation, against=comparison)


def _answers(describer: Describer, described: Sequence[Description]) -> list[Answer | None] | None:
    """What is answered in place of each draft, if not the draft; None where nothing is fitted."""
    if describer.calibration is None:
        return None
    return [one.doubt and Answer(one.text, one.doubt) for one in described]


def _rules(describer: Describer, given: str | Path | None) -> tuple[Rules, bool]:
    """The rules by which texts are read, and whether the confidence was fitted to others."""
    language = describer.card.language
    rules = rules_of(describer.folder, language) if given is None else Rules.load(given)
    fitted_to = None if describer.calibration is None else describer.calibration.rules
    others = fitted_to not in (None, rules.digest)
    if others:
        logger.warning(
            "evaluate: %s are other rules than the model was calibrated by; its confidence is that "
            "of another meaning of acceptable",
            rules.source,
        )
    return rules.knowing(**ANSWERS[language]), others


def _embedding(
    text_encoder: str, train_texts: list[str], prefix: str
) -> Callable[[list[str]], np.ndarray] | None:
    """From texts to vectors; None where there is no text that an encoder could be fitted on."""
    if text_encoder == LSA and not train_texts:
        return None
    encoder = load_text_encoder(text_encoder, train_texts, prefix)
    pooling = default_pooling(text_encoder)
    return lambda texts: embed(encoder, texts, pooling).numpy()


def _seen(
    known: SeenPhotos,
    cases: list[Case],
    pixels: Callable[[str], np.ndarray],
    scored: Callable[..., Evaluation],
) -> Seen:
    """How many photos the model knows, and the scores over the others where it knows some."""
    taken = fingerprints([case.photo for case in cases], pixels)
    in_train, in_dev, near = known.kinds(taken)
    rest = ~(in_train | in_dev | near)
    seen = Seen(len(cases), int(in_train.sum()), int(near.sum()), int(in_dev.sum()))
    if rest.all() or not rest.any():
        return seen
    others = [case for case, new in zip(cases, rest, strict=True) if new]
    alone = scored(others)
    return replace(seen, unseen=alone.metrics)


def _describe(describer: Describer, photos: list[str], progress: bool) -> dict[str, Description]:
    """The description of each photo that can be read; a warning tells of the others."""
    from tqdm import tqdm

    described = tqdm(
        describer.stream(photos),
        total=len(photos),
        desc="describe",
        unit="photo",
        disable=not progress,
    )
    found = {}
    failed = []
    for photo, description in zip(photos, described, strict=True):
        if description.error is not None:
            failed.append(description.error)
        else:
            found[photo] = description
    if not found:
        raise InputError(f"evaluate: none of {len(photos)} photos can be read. First: {failed[0]}")
    tell_unreadable("evaluate", failed, len(photos), "photos")
    return found
