"""The recipe of a training run: what is trained, from what, on what, how.

This file imports neither torch nor transformers, so that the command line can show every key
without waiting. The keys here are the YAML's keys and the command line's options.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from hazardscribe.errors import InputError
from hazardscribe.pattern_file import fault

DevScore = Literal["cider_d", "bleu_4", "rouge_l", "element_f1", "hazard_f1", "balanced_accuracy"]
SCORES: tuple[DevScore, ...] = get_args(DevScore)
"""Scores on `dev` that are logged during training; any of them may decide."""


@dataclass(frozen=True)
class Part:
    """How one part of the model (tower, projector or llm) is trained.

    Attributes:
        tune: `full` trains its weights, `lora` trains low-rank adapters, `freeze` leaves it alone.
        learning_rate: peak learning rate of AdamW for this part.
        compute: type its products are computed in; weights in training stay float32. Keep
            batch-normalised towers in float32: in bfloat16 their gradient is noise. The projector
            computes in the tower's type.
    """

    tune: Literal["full", "lora", "freeze"] = "full"
    learning_rate: float = 1e-4
    compute: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021), used by the parts whose `tune` is `lora`.

    Attributes:
        rank: rank of the update.
        alpha: the update is scaled by alpha / rank.
        dropout: dropout in front of the adapters.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0


@dataclass(frozen=True)
class Alignment:
    """The second objective: likelihood of the written description among others, given the photo.

    Attributes:
        weight: its weight beside the caption likelihood, which has weight 1; 0 leaves it out.
        form: `corpus` against all distinct training texts (exact up to 100,000 of them, above by
            sampling), `in_batch` softmax, `sigmoid`, or `token` (late interaction of the two
            sequences, in batch). All but `corpus` see only the photos of one device and forward
            pass.
        text_encoder: `lsa` (embedded, fitted on the training texts) or a model folder.
        prefix: put in front of each text for the encoder (`query: ` for E5).
        pooling: `mean` or `cls`; default: what the folder states, else `mean`.
        share_above: texts at least this similar (cosine, centred) to the photo's own share its
            target mass; 1.0: only equal texts.
        queries: learned queries that pool the first sequence.
        learning_rate: of the alignment head.
        first_share: share of the steps at the start that train by the alignment alone, before the
            caption likelihood joins in; 1 trains no language model at all. Such a step leaves the
            language model out, so it costs a fraction of a whole one; a tower that already tells
            hazards apart then meets the language model (docs/method.md). Default: 0.4 where `init`
            composed the start and its tower is trained, else 0.
        later_weight: the weight once the caption likelihood has joined in; default: `weight`. 0
            makes the alignment a first stage alone.
    """

    weight: float = 0.3
    form: Literal["corpus", "in_batch", "sigmoid", "token"] = "corpus"
    text_encoder: str = "lsa"
    prefix: str = ""
    pooling: Literal["mean", "cls"] | None = None
    share_above: float = 0.95
    queries: int = 4
    learning_rate: float = 1e-3
    first_share: float | None = None
    later_weight: float | None = None

    @property
    def joint_weight(self) -> float:
        """The weight beside the caption likelihood."""
        return self.weight if self.later_weight is None else self.later_weight

    @property
    def contrasts_batch(self) -> bool:
        """Whether what is learned depends on which photos share a forward pass."""
        return self.weight > 0 and self.form != "corpus"


@dataclass(frozen=True)
class Augmentation:
    """Changes to the training photos that their descriptions survive. All are off by default.

    Attributes:
        mirror: share of photos shown mirrored; left/right (左/右) are swapped in their text, and a
            photo whose text names another direction (east, clockwise ...) is left alone.
        brightness: largest relative change of brightness and contrast, 0..1.
        crop: largest share of each side that a random crop may take away, 0..0.5. A hazard at the
            edge may be lost while its text remains: keep it small.
    """

    mirror: float = 0.0
    brightness: float = 0.0
    crop: float = 0.0


@dataclass(frozen=True)
class Reward:
    """The second stage, `stage: reward`: trains on how good *generated* descriptions are.

    It starts from a model that the likelihood has trained. Each photo is described `samples` times
    by chance; what scores above its siblings becomes likelier (objectives/reward.py). Prompt,
    language and target are those of the start; `alignment` names the text encoder and trains
    nothing; `augmentation` and `word_dropout` are not used. A step sees batch_size * accumulation
    photos. Where `evaluate_every` is 0, dev is scored ten times.

    Attributes:
        trainer: TRL's `rloo` (leave-one-out baseline) or `grpo` (advantages in units of the group's
            spread).
        samples: descriptions drawn a photo; equal ones teach nothing, so four or more.
        temperature: of the draw; 1 draws from the model itself, less draws nearer to the greedy
            text that describing writes. Default: the highest at which the start's draws hold at
            most half a nat of entropy a token; from wild draws a reward can choose nothing.
        beta: price of leaving the start model, a nat (KL divergence; the guard of fluency).
        cider_d: weight of CIDEr-D / 10 against the written descriptions, its document frequencies
            those of the training texts.
        text_similarity: weight of the text encoder's centred cosine.
        element_f1: weight of F1 over the elements of the rule file, 1 where neither text names any.
        length: weight of the penalty on texts longer or shorter than nearly all written ones.
        repetition: weight of the penalty on the share of repeated trigrams.
        rate: the parts' learning rates are multiplied by this: a policy gradient is noisy, and the
            start is already good.
        part_after: stop when the reward rises while dev has seen no better `best_by` in this many
            evaluations: the two have parted; 0: never.
    """

    trainer: Literal["rloo", "grpo"] = "rloo"
    samples: int = 8
    temperature: float | None = None
    beta: float = 0.02
    cider_d: float = 2.0
    text_similarity: float = 0.0
    element_f1: float = 1.0
    length: float = 0.2
    repetition: float = 0.5
    rate: float = 0.02
    part_after: int = 3


@dataclass(frozen=True)
class Recipe:
    """Everything a training run depends on, besides the pairs.

    Attributes:
        start: model folder to start from (`hazardscribe init`, or any image-text-to-text model).
        stage: `likelihood` learns the written descriptions; `reward`, after it, from what the model
            generates itself (see `reward`; needs TRL).
        language: language of the descriptions: `zh`, `en`, or `auto` (found from the texts).
        target: template of the text to learn; names in braces are columns of the pairs.
        prompt: user text beside the photo; default: one in the language of the descriptions.
        rules: file of hazard rules, which the model keeps: by them dev is scored, confidence is
            fitted and element F1 rewarded (docs/evaluation.md). Default: the start's own, else
            those shipped for the language.
        tower: how the visual tower is trained.
        projector: how the projector is trained.
        llm: how the language model is trained.
        lora: adapters for the parts tuned by `lora`.
        alignment: the second objective.
        reward: the stage `reward`.
        augmentation: changes to the training photos.
        safe_share: share of the photos after rectification (`safe.parquet`) that join train and dev
            as examples without a hazard.
        safe_text: their description; default: "no obvious hazard found" in the language.
        word_dropout: share of the description's tokens that are hidden from the language model
            while it predicts the next ones (they stay to be predicted), so that it looks at the
            photo more than at its own words before. Helps where a description names several
            hazards.
        image_size: side of the model's square input in pixels; default: the checkpoint's own. Only
            for models whose tower takes any size (convolutional, DINOv2).
        image_bound: longest side to which photos are decoded and kept; default: twice the model's
            side, or that side where its processor scales by the longer one alone.
        tower_norm: `fixed` keeps the batch-norm statistics of a pretrained tower, `moving` updates
            them (for towers trained from scratch).
        steps: optimizer steps; 0: take `epochs`.
        epochs: passes over the training photos, where `steps` is 0.
        batch_size: photos a device and forward pass.
        accumulation: forward passes an optimizer step.
        find_batch_size: where memory runs out in the first step, try again with fewer photos a
            forward pass and more passes a step, so that a step sees the same photos; it is said
            what was found. Forms of the alignment other than `corpus` then contrast fewer photos.
        bucket: batches among which pairs are sorted by text length; 1: chance alone. Sorting saves
            padding where texts differ much in length, but puts like texts into one batch, which can
            keep a model from learning: compare both on dev before you use it.
        warmup: share of the steps over which the learning rate rises, counted from the first step
            for all parts. With a larger `alignment.first_share` the language model sees nothing of
            it: it joins in at the rate that the schedule has come to (by default, about 70 % of the
            peak), with AdamW's moments still empty.
        schedule: course of the learning rate after warm-up.
        weight_decay: AdamW's, on matrices only.
        max_grad_norm: gradients are scaled down to this norm; 0: never.
        max_text_tokens: longer descriptions are cut here in training.
        evaluate_every: steps between evaluations by generated text on `dev`; 0: at the end only.
        evaluate_photos: at most this many photos of `dev` each time, evenly spaced over all.
        best_by: score on `dev` that decides which weights are kept.
        patience: stop after this many evaluations without a better score; 0: never.
        calibrate: fit confidence, doubt and re-ranking on `dev` at the end, into the model folder;
            `hazardscribe calibrate` does it later, too.
        save_every: steps between resumable checkpoints; 0: at every evaluation.
        keep: resumable checkpoints kept.
        activation_checkpointing: recompute activations in the backward pass to save memory; those
            of a timm tower only where `tower_norm` is fixed.
        compile: let `torch.compile` make kernels of the blocks of tower and language model; for
            GPUs, where a step gets faster by it. It takes up to a minute at the start, needs a C
            compiler, and does nothing for the stage `reward`. Of each epoch, photos that do not
            fill a last batch are left to the next ones, whose order is another.
        workers: processes that prepare batches; 0: in the training process.
        seed: of everything random.
        report_to: loggers of the Trainer, such as `tensorboard` or `wandb`; several as
            `[tensorboard, wandb]`.
    """

    start: str = ""
    stage: Literal["likelihood", "reward"] = "likelihood"
    language: Literal["auto", "zh", "en"] = "auto"
    target: str = "{description}"
    prompt: str | None = None
    rules: str | None = None
    tower: Part = field(default_factory=lambda: Part(learning_rate=1e-4))
    projector: Part = field(default_factory=lambda: Part(learning_rate=1e-3))
    llm: Part = field(default_factory=lambda: Part(learning_rate=1e-4))
    lora: Lora = field(default_factory=Lora)
    alignment: Alignment = field(default_factory=Alignment)
    reward: Reward = field(default_factory=Reward)
    augmentation: Augmentation = field(default_factory=Augmentation)
    safe_share: float = 0.0
    safe_text: str | None = None
    word_dropout: float = 0.0
    image_size: int | None = None
    image_bound: int | None = None
    tower_norm: Literal["fixed", "moving"] = "fixed"
    steps: int = 0
    epochs: float = 3.0
    batch_size: int = 16
    accumulation: int = 1
    find_batch_size: bool = False
    bucket: int = 1
    warmup: float = 0.05
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    max_text_tokens: int = 128
    evaluate_every: int = 0
    evaluate_photos: int = 200
    best_by: DevScore = "cider_d"
    patience: int = 0
    calibrate: bool = True
    save_every: int = 0
    keep: int = 2
    activation_checkpointing: bool = False
    compile: bool = False
    workers: int = 0
    seed: int = 0
    report_to: list[str] | str = field(default_factory=list)

    def __post_init__(self) -> None:
        if isinstance(self.report_to, str):
            names = [name.strip() for name in self.report_to.split(",") if name.strip()]
            object.__setattr__(self, "report_to", names)
        for keys, (good, wanted) in _BOUNDS.items():
            for key in keys.split():
                value = operator.attrgetter(key)(self)
                _check(value is None or good(value), key, value, wanted)
        _check(self.steps or self.epochs > 0, "epochs", self.epochs, "above 0 where steps is 0")
        first = self.alignment.first_share
        _check(
            0 <= (first or 0) <= (1 if self.alignment.weight > 0 else 0),
            "alignment.first_share",
            first,
            "a share of the steps, 0 to 1, and 0 where alignment.weight is 0",
        )
        later = self.alignment.later_weight
        _check(
            later is None or (later >= 0 and first != 0),
            "alignment.later_weight",
            later,
            "0 or more, and left out where alignment.first_share is 0",
        )
        self._check_reward()
        if all(getattr(self, name).tune == "freeze" for name in ("tower", "projector", "llm")):
            raise InputError(
                "recipe: tower, projector and llm are all frozen, so nothing would be trained. "
                "Set tune: full or lora for at least one."
            )
        _check(
            self.projector.compute == "float32" or self.tower.compute == "bfloat16",
            "projector.compute",
            self.projector.compute,
            "float32 where tower.compute is: the projector computes in the tower's type",
        )
        if self.projector.tune == "lora":
            raise InputError(
                "recipe: projector.tune: lora is not supported; a projector is small, train it "
                "full or freeze it."
            )

    def _check_reward(self) -> None:
        reward = self.reward
        gains = ("cider_d", "text_similarity", "element_f1")
        if self.stage == "reward" and not any(getattr(reward, name) for name in gains):
            raise InputError(
                f"recipe: reward: {', '.join(gains)} are all 0, so nothing would be rewarded. "
                "Give at least one a weight."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Build a recipe from plain values.

        Raises:
            InputError: naming the key that is unknown or wrong.
        """
        import jsonargparse

        parser = jsonargparse.ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(cls, "recipe")
        try:
            parsed = parser.parse_object({"recipe": values})
            return parser.instantiate_classes(parsed).recipe  # type: ignore[no-any-return]
        except jsonargparse.ArgumentError as error:
            from hazardscribe.arguments import plain_key_error

            keys = [name for action in parser._actions for name in action.option_strings]
            keys = [name.removeprefix("--recipe.") for name in keys]
            said = plain_key_error(str(error), keys, "recipe.")
            if said.endswith("."):  # an unknown key that is like no other
                said += " `hazardscribe train --help` lists all keys."
            raise InputError(f"recipe: {said}") from error

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a YAML recipe; an unknown key is an error.

        Raises:
            InputError: if the file is missing, not YAML, or holds an unknown or wrong key.
        """
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            values = YAML(typ="safe").load(Path(path).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(f"recipe {path}: is not UTF-8 text; save it as UTF-8") from error
        except OSError as error:
            raise InputError(
                f"recipe {path}: could not be read ({error.strerror}); check the path"
            ) from error
        except YAMLError as error:
            raise InputError(f"recipe {path}: {fault(error)}; correct the line") from error
        if not isinstance(values, dict):
            raise InputError(
                f"recipe {path}: is not a mapping of keys to values, such as `steps: 100`"
            )
        try:
            return cls.from_dict(values.get("recipe", values))
        except InputError as error:
            raise InputError(f"recipe {path}{str(error).removeprefix('recipe')}") from error


# What a number must be, by the keys that hold one. None is a key that was left out.
_BOUNDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "batch_size accumulation bucket keep evaluate_photos lora.rank lora.alpha alignment.queries": (
        lambda value: value >= 1,
        "at least 1",
    ),
    "image_size image_bound": (lambda value: value >= 1, "at least 1, or left out"),
    "max_text_tokens": (lambda value: value >= 2, "at least 2"),
    "reward.samples": (lambda value: value >= 2, "at least 2, better 4"),
    "steps weight_decay max_grad_norm evaluate_every patience save_every workers alignment.weight "
    "reward.part_after reward.cider_d reward.text_similarity reward.element_f1 reward.length "
    "reward.repetition reward.beta": (lambda value: value >= 0, "0 or more"),
    "seed": (lambda value: 0 <= value < 2**32, "0 or more, below 2**32"),
    "tower.learning_rate projector.learning_rate llm.learning_rate alignment.learning_rate": (
        lambda value: 0 < value < 1,
        "between 0 and 1",
    ),
    "reward.rate": (lambda value: 0 < value <= 1, "above 0, at most 1"),
    "reward.temperature": (lambda value: value > 0, "above 0, or left out"),
    "alignment.share_above": (lambda value: -1 <= value <= 1, "a cosine, -1 to 1"),
    "warmup": (lambda value: 0 <= value < 1, "a share of the steps, 0 to below 1"),
    "lora.dropout word_dropout": (lambda value: 0 <= value < 1, "0 to below 1"),
    "safe_share augmentation.mirror augmentation.brightness": (
        lambda value: 0 <= value <= 1,
        "a share, 0 to 1",
    ),
    "augmentation.crop": (lambda value: 0 <= value <= 0.5, "a share of the side, 0 to 0.5"),
}


def _check(good: object, key: str, value: object, wanted: str) -> None:
    if not good:
        raise InputError(f"recipe: {key} is {value!r}; it must be {wanted}.")
