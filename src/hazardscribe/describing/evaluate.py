"""Evaluate a model on the rows of a split: describe, score, compare with baselines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hazardscribe.describing.describer import Describer, Description
from hazardscribe.describing.doubt import ANSWERS
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.evaluation import Case, Evaluation, Rules, evaluate_texts, nearest_texts
from hazardscribe.evaluation.result import Seen
from hazardscribe.evaluation.rows import cases_from_rows, hazard_of
from hazardscribe.evaluation.rules import rules_of
from hazardscribe.evaluation.selective import Answer
from hazardscribe.model.checkpoint import load_card, load_checkpoint
from hazardscribe.model.parts import image_token_id
from hazardscribe.model.seen_photos import SeenPhotos, load_seen
from hazardscribe.model.sequences import first_sequence
from hazardscribe.model.text_encoder import LSA, default_pooling, embed, load_text_encoder
from hazardscribe.pairs.fingerprints import fingerprints
from hazardscribe.pairs.left_out import tell_unreadable
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.targets import target_texts

logger = logging.getLogger(__name__)

# What the nearest-photo baseline compares where there was no pretrained tower: a tiny picture.
_THUMBNAIL = 32
_BATCH = 32

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

    Raises:
        InputError: if the split is empty or none of its photos can be read. Single ones that cannot
            are left out, counted in `.counts["unreadable"]` and told in `.warnings`.
    """
    rows = list(rows)
    if not rows:
        raise InputError("evaluate: the split holds no rows; choose another with --split")
    target, language = describer.card.target, describer.card.language
    # What is refused for its own sake is refused before all photos are described.
    read_by = rules_of(describer.folder, language) if rules is None else Rules.load(rules)
    fitted_to = None if describer.calibration is None else describer.calibration.rules
    other_rules = fitted_to not in (None, read_by.digest)
    if other_rules:
        logger.warning(
            "evaluate: %s are other rules than the model was calibrated by; its confidence is that "
            "of another meaning of acceptable",
            read_by.source,
        )
    read_by = read_by.knowing(**ANSWERS[language])
    train_rows = list(train_rows) if train_rows is not None else []
    train_texts = target_texts(train_rows, target)
    known = load_seen(describer.folder)
    encoder = None
    if train_rows or text_encoder != LSA:
        encoder = load_text_encoder(text_encoder, train_texts, text_prefix)
    pooling = default_pooling(text_encoder)
    photos = list(dict.fromkeys(str(row["photo"]) for row in rows))
    described = _describe(describer, photos, progress)
    unreadable = len(photos) - len(described)
    if unreadable:  # of shards, whose photos are not decoded when they are read
        rows = [row for row in rows if str(row["photo"]) in described]
        photos = list(described)
    references = target_texts(rows, target)
    predictions = {photo: one.draft for photo, one in described.items()}

    nearest = _nearest(describer, photos, train_rows, train_texts) if train_rows else None
    cases = cases_from_rows(rows, references, predictions)
    ordered = [described[case.photo] for case in cases]
    vectors = None if encoder is None else lambda texts: embed(encoder, texts, pooling).numpy()

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

    return scored(
        cases,
        train_texts=train_texts,
        train_hazards=[hazard_of(row) for row in train_rows],
        nearest=nearest,
        confidences=[one.confidence for one in ordered],
        answers=[one.doubt and Answer(one.text, one.doubt) for one in ordered]
        if describer.calibration is not None
        else None,
        unreadable=unreadable,
        left_out=left_out,
        other_rules=other_rules,
        seen=None if known is None else _seen(known, cases, describer.pixels, scored),
    )


def _seen(
    known: SeenPhotos,
    cases: list[Case],
    pixels: Callable[[str], np.ndarray],
    scored: Callable[..., Evaluation],
) -> Seen:
    """How many photos the model knows, and the scores over the others where it knows some."""
    taken = fingerprints([case.photo for case in cases], pixels)
    in_train = taken.are_in(known.train.digests)
    in_dev = taken.are_in(known.dev.digests) & ~in_train
    near = taken.are_near(known.train.looks) & ~in_train & ~in_dev
    rest = ~(in_train | in_dev | near)
    seen = Seen(len(cases), int(in_train.sum()), int(near.sum()), int(in_dev.sum()))
    if rest.all() or not rest.any():
        return seen
    others = [case for case, new in zip(cases, rest, strict=True) if new]
    alone = scored(others, train_texts=[], train_hazards=None, nearest=None)
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


def _nearest(
    describer: Describer, photos: list[str], train_rows: Rows, train_texts: list[str]
) -> list[str] | None:
    """Description of the nearest training photo, by what was known *before* training.

    Features of the pretrained tower that training started from; of a tiny picture where there was
    none. The trained encoder would be no baseline: it is what is being evaluated. None where no
    training photo can be read.
    """
    train_photos = [str(row["photo"]) for row in train_rows]
    start = describer.card.start
    features: Callable[[list[str]], tuple[list[int], np.ndarray]]
    if start and Path(start).is_dir() and load_card(Path(start)).tower != "scratch":
        features = _TowerFeatures(start, describer)
    else:
        if start and not Path(start).is_dir():
            logger.warning(
                "evaluate: the model that training started from, %s, is not here: the "
                "nearest-photo baseline compares small pictures in place of its tower's features, "
                "and is weaker for it",
                start,
            )
        features = _thumbnails
    readable, theirs = features(train_photos)
    if not readable:
        return None
    places: dict[str, list[int]] = {}
    for place, number in enumerate(readable):
        places.setdefault(train_photos[number], []).append(place)
    own = [places.get(photo, []) for photo in photos]
    texts = [train_texts[number] for number in readable]
    return nearest_texts(theirs, features(photos)[1], texts, own)


def _readable(photos: list[str], load: Callable[[str], Any]) -> Iterator[tuple[int, Any]]:
    """Number and picture of each photo that can be read; a warning tells of the others."""
    failed = []
    for number, photo in enumerate(photos):
        try:
            picture = load(photo)
        except PhotoError as error:
            failed.append(error)
        else:
            yield number, picture
    tell_unreadable("nearest-photo baseline", failed, len(photos), "photos")


class _TowerFeatures:
    """Mean-pooled output of the tower of the checkpoint that training started from."""

    def __init__(self, start: str, describer: Describer) -> None:
        loaded = load_checkpoint(start, device=describer.device)
        self._vlm, self._describer = loaded.vlm, describer

    @torch.inference_mode()
    def __call__(self, photos: list[str]) -> tuple[list[int], np.ndarray]:
        numbers: list[int] = []
        parts: list[np.ndarray] = []
        readable = _readable(photos, self._describer.pixels)
        while batch := list(islice(readable, _BATCH)):
            numbers += [number for number, _ in batch]
            inputs = self._describer.prompter.inputs([pixels for _, pixels in batch])
            inputs = {name: value.to(self._vlm.device) for name, value in inputs.items()}
            sequence = first_sequence(self._vlm, inputs, image_token_id(self._vlm.config))
            parts.append(sequence.tower_vectors().float().cpu().numpy())
        return numbers, np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _thumbnails(photos: list[str]) -> tuple[list[int], np.ndarray]:
    numbers, rows = [], []
    for number, picture in _readable(photos, partial(load_photo, bound=4 * _THUMBNAIL)):
        numbers.append(number)
        small = np.asarray(picture.resize((_THUMBNAIL, _THUMBNAIL)), dtype=np.float32)
        rows.append((small - small.mean()).reshape(-1))
    return numbers, np.stack(rows) if rows else np.empty((0, 0), np.float32)
