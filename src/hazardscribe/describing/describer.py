"""Photos in, descriptions out: the engine behind `describe`, `evaluate` and the Python API."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from hazardscribe.describing import packed, reduced
from hazardscribe.describing.aligner import Aligner
from hazardscribe.describing.calibration import Calibration, load_calibration
from hazardscribe.describing.confidence import OF_ALIGNMENT
from hazardscribe.describing.device import usable_device
from hazardscribe.describing.doubt import Doubt, Reason, answer
from hazardscribe.describing.generate import Decoding, Generated, generate
from hazardscribe.describing.judge import Judge, Reading, read_photos
from hazardscribe.describing.rerank import Reranking
from hazardscribe.describing.statements import Statements
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.evaluation.rules import rules_of
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.generation import LONGEST
from hazardscribe.model.image_bound import image_bound
from hazardscribe.model.prompting import Prompter
from hazardscribe.model.sequences import FirstSequence, first_sequence
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS, PhotoLimits

logger = logging.getLogger(__name__)

Photo = str | Path | bytes


@dataclass(frozen=True, slots=True)
class Description:
    """What the model says of one photo.

    Attributes:
        text: the description, or in doubt that none obvious was found or that it cannot be judged;
            empty where the photo could not be used.
        alternatives: other descriptions, best first.
        confidence: probability that the draft is acceptable as it stands, where the model folder is
            calibrated; else the geometric mean probability of its tokens. 0..1.
        error: why the photo could not be used, else None.
        doubt: why the draft is not the text: `unfamiliar` (unlike the training photos), `unsure`,
            or `likely_safe` (unsure, but the photo looks like those without hazard); else None.
        draft: what the model wrote, also where that is not given as the text.
        prompt_tokens: that the model read, those of the photo included.
        tokens: of the draft, its end token included. ended: False where it was cut off at
            `max_new_tokens`.
        vector: `(D,)` of the photo in the space of the texts, where describing came by it.
    """

    text: str
    alternatives: list[str] = field(default_factory=list)
    confidence: float = 0.0
    error: PhotoError | None = None
    doubt: Reason | None = None
    draft: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    ended: bool = True
    vector: np.ndarray | None = field(default=None, compare=False, repr=False)


class Describer:
    """Describes photos with a trained model.

    Args:
        model: a model folder. device: `cpu`, `cuda` ...; default: a GPU where there is one.
        beams: 1 is greedy. alternatives: further descriptions a photo; asking for them leaves the
            text as it is: where its search finds too few, they come from a wider one.
        batch_size: photos at a time.
        max_new_tokens: longest description, in tokens; default: as the model's generation config
            has it, where training leaves the length to which it cut the texts, else 96.
        precision: `float32`, or `bfloat16` products, whose weights then take half the memory; on a
            processor, the encoder of a composed model stays in float32.
        rerank: whether several candidates are compared by both likelihoods; default: where it
            gained on dev.
        doubt: whether a draft that is not sure enough is held back; see `describing.doubt`.
        risk: share of unacceptable answers aimed at; default: what the model was calibrated for.
        calibrated: False leaves out all that was fitted on dev.

    Raises:
        InputError: if the model cannot be loaded, or an option is out of its range.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        device: str | None = None,
        beams: int = 1,
        alternatives: int = 0,
        batch_size: int = 16,
        max_new_tokens: int | None = None,
        precision: str = "float32",
        rerank: bool | None = None,
        doubt: bool = True,
        risk: float | None = None,
        calibrated: bool = True,
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("beams", beams, 1),
            ("alternatives", alternatives, 0),
            ("max_new_tokens", max_new_tokens, 1),
        ):
            if value is not None and value < least:
                raise InputError(f"--{name} {value}: must be at least {least}.")
        if risk is not None and not 0 < risk < 1:
            raise InputError(f"--risk {risk}: must be between 0 and 1, such as 0.1")
        if precision not in ("float32", "bfloat16"):
            raise InputError(f"--precision {precision}: must be float32 or bfloat16")
        device = usable_device(device)
        loaded = load_checkpoint(model)
        self.folder, self.card, self.device = loaded.folder, loaded.card, device
        self.vlm, self.processor = loaded.vlm, loaded.processor
        self._bound = image_bound(self.card, self.processor)
        self.prompter = Prompter(self.processor, self.vlm, self.card.prompt)
        self.batch_size = batch_size
        self.compute = torch.bfloat16 if precision == "bfloat16" else torch.float32
        if device == "cpu" and packed.can_pack(self.vlm):
            packed.prepare(self.vlm, self.compute)
        elif self.compute == torch.bfloat16:
            reduced.prepare(self.vlm)  # first: a GPU may hold them rounded alone
        self._place()
        self._beams, self._alternatives = beams, alternatives
        own = self.vlm.generation_config.max_new_tokens
        self.max_new_tokens: int = max_new_tokens or own or LONGEST
        self._doubt = doubt
        self.calibration = load_calibration(self.folder) if calibrated else None
        self._aligner, self._judge, self._reranking = None, None, None
        if self.calibration is not None:
            self._aligner, self._judge, self._reranking = self._judging(rerank, risk)
            self._tell_other_search()
        elif calibrated:
            _tell_uncalibrated(self.folder, rerank, risk)

    def _place(self) -> None:
        try:
            self.vlm.to(self.device)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"{self.folder}: does not fit into the memory that is free on {self.device}. Give "
                "--precision bfloat16, which takes half, or end what else runs there; --device cpu "
                "does without a GPU."
            ) from error

    def prepare(self) -> None:
        """Load now what else is loaded with the first photo that needs it."""
        if self._aligner is not None:
            _ = self._aligner.bank.encoder

    @overload
    def __call__(self, photos: Photo) -> Description: ...
    @overload
    def __call__(self, photos: list[Photo] | tuple[Photo, ...]) -> list[Description]: ...
    def __call__(self, photos: Photo | Sequence[Photo]) -> Description | list[Description]:
        """Describe one photo (a path or its bytes), or several.

        Raises:
            PhotoError: if a single photo cannot be used. Of several, each bad one carries its
                error in its own result.
        """
        if isinstance(photos, str | Path | bytes):
            [result] = self.stream([photos])
            if result.error is not None:
                raise result.error
            return result
        return list(self.stream(photos))

    def stream(self, photos: Sequence[Photo]) -> Iterator[Description]:
        """Describe photos in order, batch by batch; one bad photo never stops the rest.

        The next batch is decoded while the model works on this one.
        """
        todo = iter(photos)
        with ThreadPoolExecutor(max_workers=2) as pool:
            ahead = self._decode(pool, todo)
            while ahead:
                decoded = [future.result() for future in ahead]
                ahead = self._decode(pool, todo)
                yield from self._describe(decoded)

    def _decode(self, pool: ThreadPoolExecutor, todo: Iterator[Photo]) -> list[Any]:
        return [pool.submit(self._load, photo) for photo in islice(todo, self.batch_size)]

    def pixels(self, photo: Photo, limits: PhotoLimits = DEFAULT_LIMITS) -> np.ndarray:
        """A photo as the model gets it before its processor: `(H, W, 3)` uint8, within the bound.

        Raises:
            PhotoError: if it cannot be used, or is beyond the limits.
        """
        return np.asarray(load_photo(photo, bound=self._bound, limits=limits))

    def _load(self, photo: Photo) -> np.ndarray | PhotoError:
        try:
            return self.pixels(photo)
        except PhotoError as error:
            return error

    def _judging(
        self, rerank: bool | None, risk: float | None
    ) -> tuple[Aligner | None, Judge, Reranking | None]:
        """What applies the calibration, and how candidates are re-ranked, if they are."""
        assert self.calibration is not None
        calibration = replace(self.calibration, doubt=self._doubt_at(self.calibration, risk))
        self.calibration = calibration
        aligner = Aligner.load(self.folder, self.device)
        if aligner is None and not set(OF_ALIGNMENT).isdisjoint(calibration.confidence.signs):
            raise InputError(
                f"{self.folder}: was calibrated with its alignment head and text bank, of which a "
                "file is missing. Run `hazardscribe calibrate` on the model."
            )
        statements = None
        if aligner is not None:
            rules = rules_of(self.folder, self.card.language)
            statements = Statements(aligner.bank.texts, rules)
            if calibration.rules not in (None, rules.digest):
                logger.warning(
                    "%s: was calibrated by other rules than %s; run `hazardscribe calibrate` on it",
                    self.folder,
                    rules.source,
                )
        reranking = calibration.reranking if aligner is not None and rerank is not False else None
        if rerank and reranking is None:
            logger.warning("--rerank: re-ranking gained nothing on dev and is left out")
        return aligner, Judge(calibration, aligner, statements, reranking), reranking

    def _doubt_at(self, calibration: Calibration, risk: float | None) -> Doubt:
        """The thresholds for that risk; a warning tells what cannot be kept of it."""
        doubt = calibration.doubt if risk is None else calibration.doubt_at(risk)
        lost = calibration.doubt.least_safe is not None and doubt.least_safe is None
        if self._doubt and risk is not None and lost:
            logger.warning(
                "%s: that no hazard is seen will not be said, as dev does not show at which "
                "mass of texts without hazard it is wrong for at most %g %%%s",
                self.folder,
                100 * risk,
                "; `hazardscribe calibrate` may show it" if calibration.dev_hazard is None else "",
            )
        if self._doubt and not doubt.reached:
            logger.warning(
                "%s: on dev no confidence kept the share of unacceptable descriptions at %g %%; "
                "drafts are given as answers from the confidence at which it was lowest (%.2f)",
                self.folder,
                100 * doubt.risk,
                doubt.least_confidence,
            )
        return doubt

    def read(self, photos: Sequence[np.ndarray], aligner: Aligner | None) -> list[Reading]:
        """What the encoder makes of decoded photos, `(H, W, 3)` uint8 each."""
        return read_photos(self._sequence(self._inputs(photos)), aligner)

    def read_and_write(
        self, photos: Sequence[np.ndarray], aligner: Aligner | None, searches: Sequence[Decoding]
    ) -> tuple[list[Reading], list[list[Generated]]]:
        """What the encoder makes of decoded photos, once, and each search writes of them."""
        inputs = self._inputs(photos)
        sequence = self._sequence(inputs)
        written = [
            generate(
                self.vlm,
                self.prompter,
                photos,
                search,
                compute=self.compute,
                inputs=inputs,
                sequence=sequence,
            )
            for search in searches
        ]
        return read_photos(sequence, aligner), written

    def _inputs(self, photos: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        return self.prompter.inputs(photos, self.vlm.device)

    @torch.inference_mode()
    def _sequence(self, inputs: dict[str, torch.Tensor]) -> FirstSequence:
        with self.products():
            return first_sequence(self.vlm, inputs)

    def products(self) -> torch.autocast:
        """The context in which the model is called by itself: its products in their precision."""
        kind = torch.device(self.device).type
        by_autocast = self.compute == torch.bfloat16 and not packed.is_packed(self.vlm)
        return torch.autocast(kind, torch.bfloat16, enabled=by_autocast)

    def _describe(self, decoded: list[np.ndarray | PhotoError]) -> list[Description]:
        good = [photo for photo in decoded if isinstance(photo, np.ndarray)]
        made = iter(self._within_memory(good))
        return [
            Description("", error=photo) if isinstance(photo, PhotoError) else next(made)
            for photo in decoded
        ]

    def _within_memory(self, photos: list[np.ndarray]) -> list[Description]:
        """Describe photos, from now on fewer at a time where a GPU's memory runs out."""
        made: list[Description] = []
        while len(made) < len(photos):
            batch = photos[len(made) : len(made) + self.batch_size]
            try:
                made += self.describe_pixels(batch)
            except torch.OutOfMemoryError as error:
                # What the batch held lives on in the frames that the error left.
                traceback.clear_frames(error.__traceback__)
                if len(batch) == 1:
                    raise InputError(
                        "out of GPU memory with a single photo. Give --precision bfloat16, fewer "
                        "beams or alternatives, or --device cpu; another program may hold memory, "
                        "too (nvidia-smi tells)."
                    ) from error
                self.batch_size = len(batch) // 2
                logger.warning(
                    "out of GPU memory with %d photos at a time: going on with %d; --batch_size %d "
                    "spares the attempt",
                    *(len(batch), self.batch_size, self.batch_size),
                )
        return made

    def describe_pixels(
        self,
        photos: Sequence[np.ndarray],
        *,
        alternatives: int | None = None,
        max_new_tokens: int | None = None,
        listener: Callable[[int, str], None] | None = None,
        unwanted: Callable[[], bool] | None = None,
    ) -> list[Description]:
        """Describe decoded photos, as `pixels` gives them, in one batch.

        Args:
            photos: at least one, `(H, W, 3)` uint8 each.
            alternatives, max_new_tokens: other than this describer's own.
            listener: called with a photo's place and the greedy draft so far, as it grows. Where
                the search is not greedy, that draft is written first, for the listener alone.
            unwanted: asked before each token whether the batch is still wanted; where it is not,
                texts end early.
        """
        asked = self._alternatives if alternatives is None else alternatives
        search, wider = self._searches(asked, max_new_tokens or self.max_new_tokens)
        greedy = Decoding(1, search.max_new_tokens)
        draft_first = listener is not None and search != greedy
        inputs = self._inputs(photos)
        # Whoever reads the first sequence, draft, searches or judge, reads the same: the encoder
        # runs once.
        read_again = self._judge is not None or draft_first or wider is not None
        sequence = self._sequence(inputs) if read_again else None

        def write(decoding: Decoding, hearing: Callable[[int, str], None] | None) -> Any:
            return generate(
                self.vlm,
                self.prompter,
                photos,
                decoding,
                compute=self.compute,
                inputs=inputs,
                sequence=sequence,
                listener=hearing,
                unwanted=unwanted,
            )

        if draft_first:
            write(greedy, listener)
            listener = None
        generated = write(search, listener)
        others = generated if wider is None else write(wider, None)
        read = inputs["attention_mask"].sum(-1).tolist()
        readings: Sequence[Reading | None] = [None] * len(photos)
        if self._judge is not None and sequence is not None:
            readings = read_photos(sequence, self._aligner)
        return [
            replace(self._description(one, other, reading, asked), prompt_tokens=n)
            for one, other, reading, n in zip(generated, others, readings, read, strict=True)
        ]

    def _description(
        self, generated: Generated, others: Generated, reading: Reading | None, alternatives: int
    ) -> Description:
        """Of one photo, with at most so many alternatives, none of which is the draft."""
        candidates, further = generated.candidates, others.candidates
        confidence, reason, vector = generated.confidences[0], None, None
        if self._judge is not None and reading is not None:
            judged = self._judge(generated, reading)
            candidates = further = judged.candidates
            if others is not generated:
                further = self._judge.order(others, reading)
            confidence, reason = judged.confidence, judged.reason if self._doubt else None
            vector = None if reading.vector is None else reading.vector.float().cpu().numpy()
        draft = candidates[0]
        return Description(
            draft.text if reason is None else answer(reason, self.card.language),
            [other.text for other in further if other.text != draft.text][:alternatives],
            confidence,
            doubt=reason,
            draft=draft.text,
            tokens=draft.tokens,
            ended=draft.ended,
            vector=vector,
        )

    def _searches(self, alternatives: int, longest: int) -> tuple[Decoding, Decoding | None]:
        """How the text is searched for, and how alternatives are where that finds too few.

        The first does not depend on how many are asked for: confidence and doubt hold for the texts
        of the search that they were fitted on, and what a person has seen grow stays.
        """
        beams, texts = self._beams, 1 + alternatives
        returned = min(beams, texts)
        if self._reranking is not None:
            beams = returned = max(beams, self._reranking.beams)
        wider = Decoding(texts, longest, texts) if texts > beams else None
        return Decoding(beams, longest, returned), wider

    def _tell_other_search(self) -> None:
        """Say where texts are searched for in another way than those that dev was judged by."""
        fitted = None if self.calibration is None else self.calibration.search
        search, _ = self._searches(0, self.max_new_tokens)
        reranked = self._reranking is not None
        if fitted is None or (fitted.beams, fitted.reranked) == (search.beams, reranked):
            return
        logger.warning(
            "%s: confidence and doubt were fitted on texts from %s and do not hold for those from "
            "%s. Leave --beams and --rerank out to search as on dev.",
            self.folder,
            fitted,
            replace(fitted, beams=search.beams, reranked=reranked),
        )


def _tell_uncalibrated(folder: Path, rerank: bool | None, risk: float | None) -> None:
    """Say once that nothing was fitted on dev; louder where the user asked for what needs it."""
    level = logging.WARNING if rerank or risk is not None else logging.INFO
    logger.log(
        level,
        "%s: holds no calibration, so the confidence is how sure the language model is of its "
        "wording, and nothing is held back; `hazardscribe calibrate` adds it",
        folder,
    )
