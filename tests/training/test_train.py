"""What a run divides by, supervises, warns of and refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from transformers import TrainingArguments, get_scheduler

import tiny
from hazardscribe.describing.calibration import CALIBRATION_FILE
from hazardscribe.errors import InputError, TrainingDivergedError
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.prompting import IGNORED, Prompter
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.read import read_pairs
from hazardscribe.training import callbacks, session
from hazardscribe.training import trainer as training_loop
from hazardscribe.training.batches import BucketSampler
from hazardscribe.training.checkpoints import last_checkpoint
from hazardscribe.training.recipe import Alignment, Part, Recipe
from hazardscribe.training.train import train

TEXTS = tiny.TEXTS["zh"]


@pytest.fixture
def recipe(start) -> Recipe:
    # Both objectives from the first step on.
    alignment = Alignment(first_share=0.0)
    return Recipe(
        start=str(start),
        steps=2,
        batch_size=4,
        max_text_tokens=12,
        alignment=alignment,
        calibrate=False,  # its own tests ask for it
    )


def gradients_of_first_step(monkeypatch, pairs, recipe, out) -> dict[str, torch.Tensor]:
    """Gradients as the optimizer sees them."""
    seen: dict[str, torch.Tensor] = {}

    def look(self, model, grad_norm=None):
        seen.update({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
        return torch.tensor(1.0)

    with monkeypatch.context() as patch:
        patch.setattr(training_loop.DescriptionTrainer, "_get_grad_norm", look)
        train(pairs, replace(recipe, steps=1, max_grad_norm=0.0), out)
    return seen


def test_accumulated_batches_weigh_like_one(monkeypatch, pairs, recipe, tmp_path):
    whole = gradients_of_first_step(monkeypatch, pairs, recipe, tmp_path / "whole")
    parts = gradients_of_first_step(
        monkeypatch, pairs, replace(recipe, batch_size=1, accumulation=4), tmp_path / "parts"
    )
    assert whole.keys() == parts.keys()
    assert any(name.startswith("head.") for name in whole)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_the_logged_losses_are_means_a_token_and_a_photo(monkeypatch, pairs, recipe, tmp_path):
    sums = []
    former = training_loop.TrainingModule.forward

    def forward(self, batch, **which):
        losses = former(self, batch, **which)
        if self.training:
            of = {"tokens": int((batch["labels"] != IGNORED).sum()), "photos": len(batch["labels"])}
            sums.append(of | {name: float(loss.detach()) for name, loss in losses.items()})
        return losses

    monkeypatch.setattr(training_loop.TrainingModule, "forward", forward)
    recipe = replace(recipe, batch_size=2, accumulation=2, calibrate=False)
    train(pairs, recipe, tmp_path / "run")
    history = json.loads((tmp_path / "run" / "run.json").read_text())["history"]
    logged = [entry for entry in history if "caption_loss" in entry]
    # An untrained model knows nothing: log of the vocabulary a token.
    assert logged[0]["caption_loss"] == pytest.approx(np.log(260), rel=0.15)
    for step, entry in enumerate(logged):
        whole = {name: sum(one[name] for one in sums[2 * step :][:2]) for name in sums[0]}
        assert whole["photos"] == 4
        assert entry["caption_loss"] == pytest.approx(whole["caption"] / whole["tokens"])
        assert entry["alignment_loss"] == pytest.approx(whole["alignment"] / 4)
        total = entry["caption_loss"] + recipe.alignment.weight * entry["alignment_loss"]
        assert entry["loss"] == pytest.approx(total, rel=1e-5)
    assert len(logged) == 2


def test_what_the_recipe_says_of_the_loop_reaches_it(tmp_path):
    recipe = Recipe(
        start="x",
        batch_size=3,
        accumulation=5,
        warmup=0.1,
        schedule="constant",
        max_grad_norm=0.7,
        evaluate_every=20,
        save_every=10,
        best_by="rouge_l",
        workers=2,
        report_to=["tensorboard"],
        seed=9,
        bucket=2,
    )
    told = training_loop.training_arguments(recipe, tmp_path, steps=40)
    assert told.per_device_train_batch_size == 3
    assert told.gradient_accumulation_steps == 5
    assert (told.max_steps, told.eval_steps, told.save_steps) == (40, 20, 10)
    assert (told.max_grad_norm, told.seed, told.dataloader_num_workers) == (0.7, 9, 2)
    assert (told.metric_for_best_model, told.greater_is_better) == ("rouge_l", True)
    assert told.report_to == ["tensorboard"]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = get_scheduler(told.lr_scheduler_type, optimizer, told.warmup_steps, 40)
    rates = []
    for _ in range(40):
        optimizer.step()
        schedule.step()
        rates += schedule.get_last_lr()
    assert rates == [0.25, 0.5, 0.75, *[1.0] * 37]
    lengths = [(7 * i) % 100 for i in range(91)]
    trainer = SimpleNamespace(_recipe=recipe, _lengths=lengths, args=SimpleNamespace(world_size=2))
    order = list(training_loop.DescriptionTrainer.make_sampler(trainer))
    assert order == list(BucketSampler(lengths, 30, seed=9, pool=2))


@pytest.mark.parametrize("later", [None, 0.0])
def test_a_logged_loss_is_the_mean_over_the_steps_it_was_in(later, pairs, recipe, tmp_path):
    # 40 steps are logged two by two: the caption joins in within the second line.
    still = {part: Part(learning_rate=1e-30) for part in ("tower", "projector", "llm")}
    options = Alignment(first_share=3 / 40, later_weight=later, learning_rate=1e-30)
    recipe = replace(recipe, steps=40, batch_size=8, alignment=options, calibrate=False, **still)
    run = train(pairs, recipe, tmp_path / "run")
    history = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))["history"]
    logged = [entry for entry in history if "loss" in entry][:4]
    # All photos are in every step, and the weights stay as they are: so do the losses.
    captions = [entry["caption_loss"] for entry in logged[1:]]
    assert "caption_loss" not in logged[0]
    assert captions == pytest.approx([captions[-1]] * 3, rel=1e-4)
    alignments = [entry["alignment_loss"] for entry in logged[: 2 if later == 0 else 4]]
    assert alignments == pytest.approx([alignments[0]] * len(alignments), rel=1e-4)


@pytest.mark.parametrize("pad_is_end", [False, True], ids=["own pad", "pad == end"])
def test_description_and_end_token_alone_are_supervised(pad_is_end, start):
    loaded = load_checkpoint(start)
    if pad_is_end:
        loaded.processor.tokenizer.pad_token = loaded.processor.tokenizer.eos_token
    prompter = Prompter(loaded.processor, loaded.vlm, "描述隐患")
    photos = [np.zeros((40, 40, 3), dtype=np.uint8)] * 2
    batch = prompter.training_batch(photos, ["短", "更长的一句"], 64)
    tokenizer = loaded.processor.tokenizer
    for row, text in enumerate(["短", "更长的一句"]):
        labels = batch["labels"][row]
        target = [*tokenizer.encode(text, add_special_tokens=False), prompter.end_id]
        assert labels[labels != IGNORED].tolist() == target
        # Shifted: the label at a position is the next input, and the last needs no answer.
        positions = (labels != IGNORED).nonzero().flatten()
        assert batch["input_ids"][row][positions + 1].tolist() == target
        assert int(batch["attention_mask"][row].sum()) == int(positions[-1]) + 2
        image = loaded.vlm.config.image_token_id
        assert not (labels == image).any()


def test_a_long_description_is_cut_and_the_prompt_never(start):
    loaded = load_checkpoint(start)
    prompter = Prompter(loaded.processor, loaded.vlm, "描述隐患")
    photo = np.zeros((40, 40, 3), dtype=np.uint8)
    long, short = (
        prompter.training_batch([photo], ["很长的描述" * 50], 8),
        prompter.inputs([photo])["input_ids"][0],
    )
    assert long["input_ids"].shape[1] == len(short) + 8
    assert torch.equal(long["input_ids"][0][: len(short)], short)
    supervised = long["labels"][0][long["labels"][0] != IGNORED]
    assert len(supervised) == 8
    assert supervised[-1] == prompter.end_id


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run_and_harms_nothing(
    value, monkeypatch, pairs, recipe, tmp_path
):
    former = training_loop.TrainingModule.forward

    def forward(self, batch, **which):
        losses = former(self, batch, **which)
        if (last_checkpoint(tmp_path / "run" / "checkpoints") or tmp_path).name == "checkpoint-2":
            losses["caption"] = losses["caption"] * value
        return losses

    kept = {}
    saving = training_loop.DescriptionTrainer._save_checkpoint

    def save(self, model, trial):
        saving(self, model, trial)
        for folder in (tmp_path / "run" / "model", last_checkpoint(self._folder)):
            kept[folder] = (folder / "model.safetensors").read_bytes()

    monkeypatch.setattr(training_loop.TrainingModule, "forward", forward)
    monkeypatch.setattr(training_loop.DescriptionTrainer, "_save_checkpoint", save)
    recipe = replace(recipe, steps=4, save_every=1, evaluate_every=1, keep=4)
    with pytest.raises(TrainingDivergedError, match=r"loss is not a finite number at step 3"):
        train(pairs, recipe, tmp_path / "run")
    assert len(kept) >= 2
    for folder, weights in kept.items():
        assert (folder / "model.safetensors").read_bytes() == weights
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "diverged"


def test_a_loss_that_is_no_number_stops_the_run_whatever_its_gradient(
    monkeypatch, pairs, recipe, tmp_path
):
    former = training_loop.TrainingModule.forward

    def forward(self, batch, **which):
        losses = former(self, batch, **which)
        losses["caption"] = losses["caption"] + float("inf")
        return losses

    monkeypatch.setattr(training_loop.TrainingModule, "forward", forward)
    with pytest.raises(TrainingDivergedError, match="loss is not a finite number at step 1"):
        train(pairs, recipe, tmp_path / "run")


def test_a_gpu_would_not_be_waited_for_between_the_passes_of_a_step(
    monkeypatch, pairs, recipe, tmp_path
):
    former = training_loop.DescriptionTrainer.compute_loss

    def guarded(look):
        def ours(tensor, *given, **more):
            if "hazardscribe" in sys._getframe(1).f_code.co_filename:
                pytest.fail("on a GPU this waits for what it was given")
            return look(tensor, *given, **more)

        return ours

    def compute_loss(self, *given, **more):
        with monkeypatch.context() as patch:
            for way in ("__bool__", "__int__", "__float__", "item", "tolist", "nonzero"):
                patch.setattr(torch.Tensor, way, guarded(getattr(torch.Tensor, way)))
            return former(self, *given, **more)

    monkeypatch.setattr(training_loop.DescriptionTrainer, "compute_loss", compute_loss)
    monkeypatch.setattr("hazardscribe.training.module.SAMPLED_ABOVE", 0)
    assert train(pairs, recipe, tmp_path / "run").status == "finished"


@pytest.mark.parametrize("max_grad_norm", [0.0, 1.0])
def test_a_gradient_that_is_no_number_stops_the_run(
    max_grad_norm, monkeypatch, pairs, recipe, tmp_path
):
    former = training_loop.TrainingModule.forward

    def forward(self, batch, **which):
        losses = former(self, batch, **which)
        losses["caption"].register_hook(lambda gradient: gradient * float("nan"))
        return losses

    monkeypatch.setattr(training_loop.TrainingModule, "forward", forward)
    recipe = replace(recipe, max_grad_norm=max_grad_norm)
    with pytest.raises(TrainingDivergedError, match="gradient is not a finite number at step 1"):
        train(pairs, recipe, tmp_path / "run")


def test_a_model_that_says_the_same_of_every_photo_is_reported(
    monkeypatch, pairs_folder, recipe, tmp_path
):
    import shutil

    from hazardscribe.describing.generate import Candidate, Generated

    folder = shutil.copytree(pairs_folder, tmp_path / "pairs")
    table = (folder / "pairs.csv").read_text(encoding="utf-8").splitlines()
    lines = [*table[:3], *(line.rpartition(",")[0] + ",dev" for line in table[3:])]
    (folder / "pairs.csv").write_text("\n".join(lines), encoding="utf-8")

    def parrot(vlm, prompter, photos, decoding, **_):
        return [Generated([Candidate("一名工人未佩戴安全帽", -1.0, 10)])] * len(photos)

    monkeypatch.setattr("hazardscribe.training.dev.generate", parrot)
    run = train(read_pairs(folder), recipe, tmp_path / "run")
    assert any("same" in warning or "distinct" in warning for warning in run.warnings), run.warnings
    assert json.loads((tmp_path / "run" / "run.json").read_text())["warnings"] == run.warnings
    assert run.metrics["distinct_share"] == pytest.approx(1 / 10)


def test_dev_photos_are_scored_from_the_whole_ledger_not_its_beginning(
    monkeypatch, pairs_folder, recipe, tmp_path
):
    import shutil

    from hazardscribe.training.dev import Dev

    folder = shutil.copytree(pairs_folder, tmp_path / "pairs")
    table = (folder / "pairs.csv").read_text(encoding="utf-8").splitlines()
    lines = [*table[:3], *(line.rpartition(",")[0] + ",dev" for line in table[3:])]
    (folder / "pairs.csv").write_text("\n".join(lines), encoding="utf-8")
    scored = []

    def texts(self, vlm, prompter, rows):
        scored.extend(row["photo"] for row in rows)
        return rows.texts()

    monkeypatch.setattr(Dev, "_texts", texts)
    recipe = replace(recipe, steps=1, evaluate_photos=2, calibrate=False)
    train(read_pairs(folder), recipe, tmp_path / "run")
    # Photos after rectification (`safe_share`) are always the last rows.
    assert [photo.rpartition("/")[2] for photo in scored] == ["02.png", "11.png"]


def test_the_best_weights_are_kept_not_the_last(monkeypatch, pairs, recipe, tmp_path):
    from hazardscribe.training import session as training

    scores = iter([0.1, 0.9, 0.5, 0.4])

    def dev_scores(self):
        return {"cider_d": next(scores), "distinct_share": 1.0}

    monkeypatch.setattr(training.Session, "dev_scores", dev_scores)
    recipe = replace(recipe, steps=6, evaluate_every=1, patience=2, keep=4)
    run = train(pairs, recipe, tmp_path / "run")
    assert run.status == "stopped_early"
    assert run.metrics["cider_d"] == 0.9
    assert run.metrics["step"] == 2
    kept = load_checkpoint(run.model).vlm.state_dict()
    second, fourth = (
        safetensors.torch.load_file(run.folder / f"checkpoints/checkpoint-{n}/model.safetensors")
        for n in (2, 4)
    )
    name = "model.language_model.embed_tokens.weight"
    assert torch.equal(kept[name], second[f"vlm.{name}"])
    assert not torch.equal(kept[name], fourth[f"vlm.{name}"])


@pytest.mark.parametrize(("later", "joint"), [(None, True), (0.1, True), (0.0, False)])
def test_the_alignment_may_go_first(later, joint, monkeypatch, pairs, recipe, tmp_path):
    seen = []
    former = training_loop.TrainingModule.forward

    def forward(self, batch, caption=True, alignment=True):
        if self.training:
            seen.append((caption, alignment))
        return former(self, batch, caption, alignment)

    monkeypatch.setattr(training_loop.TrainingModule, "forward", forward)
    options = Alignment(first_share=1 / 3, later_weight=later)
    run = train(pairs, replace(recipe, steps=3, alignment=options), tmp_path / "run")
    assert run.status == "finished"
    assert seen == [(False, True), (True, joint), (True, joint)]


def test_the_later_weight_weighs_the_alignment_beside_the_caption(
    monkeypatch, pairs, recipe, tmp_path
):
    def head_gradient(name: str, options: Alignment) -> torch.Tensor:
        seen = []

        def look(self, model, grad_norm=None):
            seen.append(self.model.head.project.weight.grad.clone())
            return torch.tensor(1.0)

        # The weights stay as they are, so that the second steps of all runs are the same.
        frozen = {part: Part(learning_rate=1e-30) for part in ("tower", "projector", "llm")}
        changed = replace(recipe, alignment=options, steps=2, max_grad_norm=0.0, **frozen)
        with monkeypatch.context() as patch:
            patch.setattr(training_loop.DescriptionTrainer, "_get_grad_norm", look)
            train(pairs, changed, tmp_path / name)
        return seen[1]

    still = {"learning_rate": 1e-30, "first_share": 0.5}
    whole = head_gradient("whole", Alignment(weight=1.0, **still))
    less = head_gradient("less", Alignment(weight=1.0, later_weight=0.25, **still))
    torch.testing.assert_close(less, whole / 4, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("form", ["in_batch", "sigmoid", "token"])
def test_every_form_of_the_alignment_trains(form, pairs, recipe, tmp_path):
    run = train(
        pairs, replace(recipe, alignment=Alignment(form=form, first_share=0.0)), tmp_path / "run"
    )
    history = json.loads((run.folder / "run.json").read_text())["history"]
    assert all(entry["alignment_loss"] > 0 for entry in history if "alignment_loss" in entry)


def test_activations_may_be_recomputed_to_the_same_gradient(monkeypatch, pairs, recipe, tmp_path):
    plain = gradients_of_first_step(monkeypatch, pairs, recipe, tmp_path / "plain")
    again = gradients_of_first_step(
        monkeypatch, pairs, replace(recipe, activation_checkpointing=True), tmp_path / "again"
    )
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_what_cannot_be_trained_is_refused(pairs, recipe, tmp_path):
    with pytest.raises(InputError, match="start is empty"):
        train(pairs, Recipe(), tmp_path / "a")
    with pytest.raises(InputError, match="no such model folder"):
        train(pairs, replace(recipe, start=str(tmp_path / "missing")), tmp_path / "b")
    with pytest.raises(InputError, match="no column 'location'") as refused:
        train(pairs, replace(recipe, target="{location}"), tmp_path / "c")
    assert "row_file" not in str(refused.value)
    with pytest.raises(InputError, match="report_to: swanlab is not installed"):
        train(pairs, replace(recipe, report_to=["swanlab"]), tmp_path / "e")
    with pytest.raises(InputError, match="keeps its own input size"):
        train(pairs, replace(recipe, image_size=64), tmp_path / "d")
    # A refused run leaves no folder behind that would refuse the next.
    for name in "abcde":
        assert not (tmp_path / name / "run.json").exists()


def test_a_run_may_leave_the_calibration_for_later(pairs, recipe, tmp_path):
    fitted = train(pairs, replace(recipe, steps=1, calibrate=True), tmp_path / "fitted")
    bare = train(pairs, replace(recipe, steps=1, calibrate=False), tmp_path / "bare")
    assert (fitted.model / CALIBRATION_FILE).is_file()
    assert not (bare.model / CALIBRATION_FILE).exists()
    records = [json.loads((run.folder / "run.json").read_text()) for run in (fitted, bare)]
    assert ["calibration" in record for record in records] == [True, False]


def test_memory_that_lies_between_buffers_is_given_back(monkeypatch, pairs, recipe, tmp_path):
    asked = []
    monkeypatch.setattr(session, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(callbacks, "give_back_freed_memory", lambda: asked.append(1))
    train(pairs, replace(recipe, steps=9, evaluate_every=0), tmp_path / "kept")
    assert len(asked) == 1  # after step 8
    monkeypatch.setattr(session, "keep_freed_memory", lambda: False)  # as beside a GPU
    train(pairs, replace(recipe, steps=9, evaluate_every=0), tmp_path / "given back")
    assert len(asked) == 1


def test_one_process_trains_on_one_gpu_and_says_so(monkeypatch, recipe, tmp_path, caplog):
    def two(arguments):
        arguments._n_gpu = 2
        return torch.device("cpu")

    monkeypatch.setattr(TrainingArguments, "_setup_devices", property(two))
    arguments = training_loop.training_arguments(replace(recipe, batch_size=4), tmp_path, steps=1)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 4)
    assert "1 of the 2 here stay idle" in caplog.text


def test_repaired_places_join_train_and_dev_where_asked_for(start, recipe, tmp_path):
    folder = tmp_path / "ledger"
    folder.mkdir()
    lines = ["隐患描述,隐患照片,整改后照片"]
    for i in range(16):
        for name in (f"{i}.png", f"{i}-after.png"):
            seed = 2 * i + ("after" in name)
            noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3))
            picture = Image.fromarray(noise.astype(np.uint8))
            picture.resize((64, 48), Image.Resampling.BICUBIC).save(folder / name)
        lines.append(f"{TEXTS[i % 5]},{i}.png,{i}-after.png")
    (folder / "ledger.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    import_ledger(folder / "ledger.csv", out=tmp_path / "pairs")
    pairs = read_pairs(tmp_path / "pairs")
    recipe = replace(recipe, start=str(start), steps=1)
    plain = train(pairs, recipe, tmp_path / "plain")
    joined = train(pairs, replace(recipe, safe_share=1.0), tmp_path / "joined")
    counts = [json.loads((run.folder / "run.json").read_text())["data"] for run in (plain, joined)]
    for split in ("train", "dev"):
        assert counts[1][split] == 2 * counts[0][split]
    assert counts[1]["distinct_texts"] == counts[0]["distinct_texts"] + 1


def test_a_cropping_start_checkpoint_is_warned_of(start, pairs, recipe, tmp_path):
    import shutil

    folder = shutil.copytree(start, tmp_path / "cropping")
    path = folder / "processor_config.json"
    settings = json.loads(path.read_text())
    settings["image_processor"] |= {"do_center_crop": True, "do_pad": False}
    path.write_text(json.dumps(settings))
    run = train(pairs, replace(recipe, start=str(folder), steps=1), tmp_path / "run")
    assert any("crops the edges" in warning for warning in run.warnings)


def test_a_frozen_language_model_stays_as_it_was(start, pairs, recipe, tmp_path):
    run = train(pairs, replace(recipe, llm=Part(tune="freeze")), tmp_path / "run")
    before, after = (load_checkpoint(folder).vlm for folder in (start, run.model))
    for name, tensor in before.state_dict().items():
        if "language_model" in name or "lm_head" in name:
            assert torch.equal(after.state_dict()[name], tensor), name


def test_shards_train_as_one_table_does(pairs, recipe, tmp_path):
    shards = tmp_path / "shards"
    shards.mkdir()
    for i in range(2):
        part = pairs.frame.iloc[6 * i : 6 * i + 6][["photo", "description", "split"]]
        part.to_parquet(shards / f"{i}.parquet")
    whole = train(pairs, recipe, tmp_path / "whole")
    run = train(read_pairs(shards), recipe, tmp_path / "run")
    ours, theirs = (
        safetensors.torch.load_file(one.model / "model.safetensors") for one in (run, whole)
    )
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("reduced", ["tower", "llm"])
def test_dev_is_described_with_each_part_in_the_type_it_is_trained_in(
    reduced, monkeypatch, pairs, recipe, tmp_path
):
    recipe = replace(recipe, **{reduced: Part(compute="bfloat16")}, steps=1, calibrate=False)
    described = []
    former = session.Session.dev_scores

    def look(self):
        with tiny.watched("SiglipEncoderLayer", "LlamaDecoderLayer") as seen:
            scores = former(self)
        described.append(seen)
        return scores

    monkeypatch.setattr(session.Session, "dev_scores", look)
    train(pairs, recipe, tmp_path / "run")
    expected = {
        "SiglipEncoderLayer": {reduced == "tower"},
        "LlamaDecoderLayer": {reduced == "llm"},
    }
    assert described == [expected]


def test_a_score_that_dev_does_not_define_is_told_and_never_shown(pairs, recipe, tmp_path, caplog):
    # Both dev photos show a hazard.
    recipe = replace(recipe, best_by="hazard_f1", evaluate_every=1, patience=5)
    run = train(pairs, recipe, tmp_path / "run")
    assert caplog.text.count("hazard_f1 cannot be computed on dev") == 1
    [told] = [warning for warning in run.warnings if "hazard_f1" in warning]
    assert "rouge_l decides instead" in told
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["recipe"]["best_by"] == "hazard_f1"
    names = {name for entry in record["history"] for name in entry}
    assert "eval_rouge_l" in names
    assert not names & {"eval_hazard_f1", "eval_balanced_accuracy"}
    assert {"rouge_l", "step"} <= run.metrics.keys()
    assert "hazard_f1" not in run.metrics


def test_the_best_of_a_run_of_an_earlier_version_is_shown_under_its_own_name(recipe):
    history = [
        {"step": 1, "eval_hazard_f1": 0.4, "eval_rouge_l": 0.4},  # as it was logged
        {"step": 2, "eval_rouge_l": 0.3},
    ]
    resumed = SimpleNamespace(
        recipe=replace(recipe, best_by="rouge_l"),
        dev=SimpleNamespace(undefined={"hazard_f1": "no safe photo"}),
    )
    assert session.Session.best(resumed, history) == {"step": 1, "rouge_l": 0.4}


def test_what_a_photo_is_to_the_model_is_told_at_the_start(
    pairs, recipe, family_folder, tmp_path, caplog
):
    recipe = replace(recipe, steps=1, calibrate=False)
    with caplog.at_level("INFO", "hazardscribe"):
        train(pairs, recipe, tmp_path / "whole")
    assert "first training photo is 16 tokens to the language model; a forward" in caplog.text
    tiled = replace(recipe, start=str(family_folder("smolvlm")), batch_size=1)
    with caplog.at_level("INFO", "hazardscribe"):
        train(pairs, tiled, tmp_path / "tiled")
    # 64 x 48 pixels: tiles of 32 x 32 and the whole photo, of 4 tokens each.
    assert "is 20 tokens to the language model, from 5 tiles of 32 x 32 pixels" in caplog.text
