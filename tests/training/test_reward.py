"""The stage that learns from generated descriptions: what it draws, where its gradient goes."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch

import tiny
from hazardscribe import cli
from hazardscribe.describing.calibration import CALIBRATION_FILE
from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.errors import InputError, TrainingDivergedError
from hazardscribe.evaluation.cases import Case
from hazardscribe.evaluation.cider import CiderD
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.tokens import characters
from hazardscribe.model.bank_file import BANK_FILE, BANK_TEXTS_FILE
from hazardscribe.model.checkpoint import CARD_FILE, HEAD_FILE, load_card, load_checkpoint
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.parts import image_token_id, part_of
from hazardscribe.model.prompting import Prompter
from hazardscribe.training import reward as stage
from hazardscribe.training.callbacks import StopWhenParted
from hazardscribe.training.checkpoints import last_checkpoint
from hazardscribe.training.loop import Loop
from hazardscribe.training.recipe import Alignment, Lora, Part, Recipe, Reward
from hazardscribe.training.rewards import reward_parts
from hazardscribe.training.sampling import Sampling, settle
from hazardscribe.training.train import train
from hazardscribe.training.tuning import apply_tuning

LORA = {
    "tower": Part(tune="freeze"),
    "projector": Part(tune="freeze"),
    "llm": Part(tune="lora", learning_rate=1e-2),
    "lora": Lora(rank=2),
}


@pytest.fixture(scope="module")
def written(start, pairs, tmp_path_factory):
    """A run of the first stage: it has seen the words, and holds an alignment head."""
    out = tmp_path_factory.mktemp("written") / "run"
    recipe = Recipe(
        start=str(start),
        prompt="隐患：",
        steps=40,
        batch_size=8,
        max_text_tokens=40,
        llm=Part(learning_rate=5e-3),
        alignment=Alignment(queries=2, first_share=0.0),
    )
    train(pairs, recipe, out)
    return out / "model"


@pytest.fixture
def recipe(written) -> Recipe:
    return Recipe(
        start=str(written),
        stage="reward",
        steps=2,
        batch_size=2,
        max_text_tokens=24,
        evaluate_every=1,
        reward=Reward(samples=4, temperature=1.0, rate=1.0, text_similarity=0.5, part_after=0),
        calibrate=False,  # its own test asks for it
    )


def record_of(out) -> dict:
    return json.loads((out / "run.json").read_text())


# ---- what is drawn and how probable it is --------------------------------------------------------


class Photos:
    """Stands for the pixel cache: photos of chance."""

    def pixels(self, name: str) -> np.ndarray:
        shape = [(48, 64, 3), (64, 48, 3), (56, 56, 3)][int(name) % 3]
        return np.random.default_rng(int(name)).integers(0, 256, shape, dtype=np.uint8)


def sampling_of(folder, **changes) -> tuple[object, Sampling]:
    loaded = load_checkpoint(folder)
    reward = Reward(**{"temperature": 1.0, **changes})
    recipe = Recipe(start="x", max_text_tokens=7, reward=reward)
    prompter = Prompter(loaded.processor, loaded.vlm, "描述隐患")
    return loaded.vlm, Sampling(prompter, Photos(), [str(i) for i in range(5)], recipe)


@pytest.mark.parametrize("way", ["usual", "whole"])
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_log_probabilities_are_those_of_the_plain_forward_pass(
    family, way, family_folder, monkeypatch
):
    if way == "whole":
        monkeypatch.setattr("hazardscribe.training.sampling._only_whole", lambda vlm: True)
    vlm, sampling = sampling_of(family_folder(family), temperature=0.7)
    rows = torch.tensor([3, 1, 3, 1, 4, 4])  # shuffled, as TRL hands them over
    prompts = sampling.prompt_ids(rows)
    drawn = [[70, 71, 72], [73], [74, 75], [76, 77], [78, 79, 80], [81]]
    longest, both = max(map(len, prompts)), list(zip(prompts, drawn, strict=True))
    ids = torch.tensor([[0] * (longest - len(p)) + p + d + [0] * (3 - len(d)) for p, d in both])
    mask = torch.tensor(
        [[0] * (longest - len(p)) + [1] * (len(p) + len(d)) + [0] * (3 - len(d)) for p, d in both]
    )
    with torch.no_grad():
        found, entropies = sampling.log_probs(vlm, rows, ids, mask, 3)
    for i, row in enumerate(rows.tolist()):
        inputs = sampling.prompter.inputs([Photos().pixels(str(row))])
        assert inputs["input_ids"][0].tolist() == prompts[i]
        text = torch.tensor([drawn[i]])
        zeros = torch.zeros_like(text)
        inputs = {
            name: torch.cat(
                [value, text if name == "input_ids" else zeros + (name[:4] == "atte")], 1
            )
            if value.shape == (1, len(prompts[i]))
            else value
            for name, value in inputs.items()
        }
        with torch.no_grad():
            logits = vlm(**inputs).logits[0, -len(drawn[i]) - 1 : -1].double() / 0.7
        logits[:, image_token_id(vlm.config)] = -torch.inf
        expected = logits.log_softmax(-1)
        chosen = expected[range(len(drawn[i])), drawn[i]]
        width = len(drawn[i])
        torch.testing.assert_close(found[i, :width].double(), chosen, rtol=1e-4, atol=1e-4)
        entropy = -(expected.exp() * expected).nan_to_num().sum(-1)
        torch.testing.assert_close(entropies[i, :width].double(), entropy, rtol=1e-4, atol=1e-4)
        assert not found[i, width:].any()


def test_texts_that_are_drawn_take_the_kernels_of_texts_that_grow(family_folder, monkeypatch):
    vlm, sampling = sampling_of(family_folder("llava"))
    inside = []

    @contextmanager
    def kernels(device):
        inside.append(device)
        yield
        inside.pop()

    former = vlm.generate

    def generate(**options):
        assert inside == [vlm.device]
        return former(**options)

    monkeypatch.setattr("hazardscribe.training.sampling.growing_text_kernels", kernels)
    monkeypatch.setattr(vlm, "generate", generate)
    assert len(sampling.draw(vlm, torch.tensor([1, 1, 2, 2]))) == 4
    assert not inside


@pytest.mark.parametrize("reduced", ["none", "tower", "llm"])
def test_draw_and_gradient_run_each_part_in_one_type(reduced, written):
    parts = {} if reduced == "none" else {reduced: Part(tune="freeze", compute="bfloat16")}
    recipe = Recipe(start="x", max_text_tokens=5, reward=Reward(temperature=1.0), **parts)
    loaded = load_checkpoint(written)
    apply_tuning(loaded.vlm, recipe)  # what is frozen lies in bfloat16
    prompter = Prompter(loaded.processor, loaded.vlm, "描述隐患")
    sampling = Sampling(prompter, Photos(), [str(i) for i in range(5)], recipe)
    rows = torch.tensor([1, 1, 2, 2])
    seen = {}
    with tiny.watched("SiglipEncoderLayer", "LlamaDecoderLayer") as seen["draw"]:
        drawn = sampling.draw(loaded.vlm, rows)
    prompts = sampling.prompt_ids(rows)
    ids = torch.tensor([prompt + text[:1] for prompt, text in zip(prompts, drawn, strict=True)])
    with tiny.watched("SiglipEncoderLayer", "LlamaDecoderLayer") as seen["score"]:
        sampling.log_probs(loaded.vlm, rows, ids, torch.ones_like(ids), 1)
    expected = {
        "SiglipEncoderLayer": {reduced == "tower"},
        "LlamaDecoderLayer": {reduced == "llm"},
    }
    assert seen == {"draw": expected, "score": expected}


def test_a_cold_draw_is_what_describing_writes(written):
    vlm, sampling = sampling_of(written, temperature=1e-4)
    rows = torch.tensor([2, 0, 0, 2, 1, 1])
    drawn = sampling.draw(vlm, rows)
    photos = [Photos().pixels(str(row)) for row in range(3)]
    greedy = generate(vlm, sampling.prompter, photos, Decoding(max_new_tokens=7))
    for row, ids in zip(rows.tolist(), drawn, strict=True):
        [text] = sampling.prompter.decode(torch.tensor([ids]))
        assert text == greedy[row].texts[0]
    others = torch.tensor([4, 0, 3, 0, 3, 4])  # as many photos, not the same
    assert sampling.draw(vlm, others)[1] == drawn[1]
    alone = sampling_of(written, temperature=1e-4)[1]
    assert sampling.draw(vlm, others) == alone.draw(vlm, others)
    assert sampling.prompt_ids(rows) == [sampling.prompt_ids(rows[:1])[0]] * 6


def test_draws_follow_the_distribution_that_log_probabilities_are_of(start):
    vlm, sampling = sampling_of(start, temperature=0.5)
    sampling._most = 1
    torch.manual_seed(0)
    drawn = torch.tensor(sampling.draw(vlm, torch.zeros(4000, dtype=torch.long)))[:, 0]
    with torch.no_grad():
        logits = vlm(**sampling.prompter.inputs([Photos().pixels("0")])).logits[0, -1] / 0.5
    logits[image_token_id(vlm.config)] = -torch.inf
    p = logits.softmax(-1)
    assert float(p[drawn].log().mean()) == pytest.approx(float(p.xlogy(p).sum()), abs=0.03)
    assert float(p[drawn.bincount(minlength=len(p)) == 0].sum()) < 0.01  # the rarest, too


def test_entropy_is_the_mean_over_the_tokens_drawn(written, monkeypatch):
    vlm, sampling = sampling_of(written)
    monkeypatch.setattr(Sampling, "draw", lambda self, vlm, rows: [[70], [71, 72, 73]] * 2)
    monkeypatch.setattr(
        Sampling,
        "log_probs",
        lambda self, vlm, rows, ids, mask, width: (None, 0.5 * mask[:, -width:].float()),
    )
    assert sampling._entropy(vlm, torch.tensor([0, 0, 1, 1])) == 0.5


def test_the_image_token_is_never_drawn_and_a_draw_ends_with_its_end_token(written):
    vlm, sampling = sampling_of(written)
    vlm.generation_config.suppress_tokens = None  # a checkpoint from elsewhere may not say it
    image, end = image_token_id(vlm.config), sampling.prompter.end_id

    def favour(module, inputs, logits):
        logits[..., image] += 1e4
        logits[..., end] += 2.0
        return logits

    hook = vlm.get_output_embeddings().register_forward_hook(favour)
    drawn = sampling.draw(vlm, torch.arange(5).repeat_interleave(8))
    hook.remove()
    assert all(image not in ids for ids in drawn)
    ended = [ids for ids in drawn if end in ids]
    assert ended
    assert all(ids.index(end) == len(ids) - 1 for ids in ended)
    assert len({tuple(ids) for ids in drawn}) > 10


def test_dropout_and_statistics_rest_while_the_model_counts_as_training():
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(3)).train()
    settle(model)
    assert model.training
    values = torch.randn(4, 3)
    assert torch.equal(model(values), model(values))
    assert not model[1].running_mean.any()


def test_draw_and_gradient_see_the_model_at_rest(monkeypatch, pairs, recipe, tmp_path):
    awake = []
    for name in ("draw", "log_probs"):
        former = getattr(Sampling, name)

        def look(self, vlm, *arguments, former=former):
            awake.extend(name for name, module in vlm.named_modules() if name and module.training)
            return former(self, vlm, *arguments)

        monkeypatch.setattr(Sampling, name, look)
    train(pairs, recipe, tmp_path / "run")
    assert awake == []


# ---- the rewards ---------------------------------------------------------------------------------

CASES = [
    Case("a.jpg", ["一名工人未佩戴安全帽"], ""),
    Case("b.jpg", ["现场未发现明显隐患"], ""),
    Case("c.jpg", ["消防通道被杂物堵塞", "通道堆放杂物"], ""),
]


def test_each_part_scores_the_photos_own_descriptions():
    weights = {"cider_d": 2.0, "text_similarity": 0.5, "element_f1": 1.0, "length": 0.3}
    recipe = Recipe(reward=Reward(**weights, repetition=0.4))
    parts = {part.name: part for part in reward_parts(recipe, CASES, "zh")}
    assert {name: part.weight for name, part in parts.items()} == weights | {
        "length": -0.3,
        "repetition": -0.4,
    }
    texts = ["一名工人未佩戴安全帽", "一名工人未佩戴安全帽", "", "通道堆放杂物", "杂" * 60]
    photos = [0, 1, 1, 2, 2]
    scores = {name: part(texts, photos, extra=1) for name, part in parts.items()}
    cider = CiderD([[characters(text) for text in case.references] for case in CASES])
    candidates = cider.weigh([characters(text) for text in texts])
    assert scores["cider_d"] == pytest.approx(cider.scores(candidates, np.array(photos)) / 10)
    assert scores["cider_d"][0] == pytest.approx(1.0)
    assert scores["text_similarity"][0] == pytest.approx(1.0)
    assert scores["text_similarity"][3] == pytest.approx(1.0)  # the better of two references
    assert scores["text_similarity"][1] < 0.5
    assert scores["text_similarity"][2] == 0.0
    assert scores["element_f1"][:3] == [1.0, 0.0, 0.0]  # an empty text is right about nothing
    assert scores["length"][:1] == [0.0]
    assert scores["length"][4] == 1.0
    assert scores["repetition"][4] == pytest.approx(57 / 58)


def test_a_hazard_that_no_element_stands_for_is_not_rewarded_as_safe():
    cases = [Case("a.jpg", ["压力表未检定"], ""), Case("b.jpg", ["现场未发现明显隐患"], "")]
    options = Reward(cider_d=0.0, text_similarity=0.0, element_f1=1.0, length=0.0, repetition=0.0)
    [part] = reward_parts(Recipe(reward=options), cases, "zh")
    texts = ["压力表未检定", "未发现明显隐患", "无法判断，请人工核实"]
    assert part([*texts, *texts], [0, 0, 0, 1, 1, 1]) == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def test_rewards_go_by_the_rules_and_the_text_encoder_of_the_recipe(monkeypatch, tmp_path):
    (tmp_path / "own.yaml").write_text("no_hazard: [未佩戴]", encoding="utf-8")
    options = Reward(cider_d=0.0, text_similarity=1.0, element_f1=1.0, length=0.0, repetition=0.0)
    alignment = Alignment(text_encoder="models/e5", prefix="query: ", pooling="cls")
    asked = []

    def load(name, corpus, prefix):
        asked.append((name, prefix))
        return LsaEncoder(corpus)

    monkeypatch.setattr("hazardscribe.training.rewards.load_text_encoder", load)
    similarity, elements = reward_parts(
        Recipe(reward=options, alignment=alignment), CASES, "zh", Rules.load(tmp_path / "own.yaml")
    )
    assert asked == [("models/e5", "query: ")]
    assert similarity(["一名工人未佩戴安全帽 "], [0]) == [pytest.approx(1.0)]
    # By these rules the first photo shows no hazard, and a text that says so is right.
    assert elements(["现场未佩戴", "消防通道被杂物堵塞"], [0, 0]) == [1.0, 0.0]


def test_a_part_without_weight_is_left_out():
    options = Reward(cider_d=0.0, text_similarity=0.0, element_f1=1.0, length=0.0, repetition=0.0)
    assert [part.name for part in reward_parts(Recipe(reward=options), CASES, "zh")] == [
        "element_f1"
    ]


def test_cider_is_refused_where_it_says_nothing():
    alike = [Case(f"{i}.jpg", ["同一句话"], "") for i in range(3)]
    with pytest.raises(InputError, match=r"reward\.cider_d: all training photos have the same"):
        reward_parts(Recipe(), alike, "zh")


# ---- the run -------------------------------------------------------------------------------------


def gradients_of_first_step(monkeypatch, pairs, recipe, out) -> dict[str, torch.Tensor]:
    """Gradients as the optimizer sees them."""
    seen: dict[str, torch.Tensor] = {}

    def look(self, model, grad_norm=None):
        seen.update({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
        return torch.tensor(1.0)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_get_grad_norm", look)
        train(pairs, replace(recipe, steps=1, max_grad_norm=0.0), out)
    return seen


@pytest.mark.parametrize("trainer", ["rloo", "grpo"])
def test_the_gradient_reaches_tower_projector_and_language_model(
    trainer, monkeypatch, pairs, recipe, tmp_path
):
    recipe = replace(recipe, reward=replace(recipe.reward, trainer=trainer))
    reached: dict[str, float] = {}
    for name, gradient in gradients_of_first_step(
        monkeypatch, pairs, recipe, tmp_path / "run"
    ).items():
        part = part_of(name)
        reached[part] = reached.get(part, 0.0) + float(gradient.abs().sum())
    assert reached.keys() == {"tower", "projector", "llm"}
    assert all(value > 0 for value in reached.values())


def test_recomputed_activations_change_nothing(monkeypatch, pairs, recipe, tmp_path):
    plain = gradients_of_first_step(monkeypatch, pairs, recipe, tmp_path / "plain")
    spared = gradients_of_first_step(
        monkeypatch, pairs, replace(recipe, activation_checkpointing=True), tmp_path / "spared"
    )
    assert plain.keys() == spared.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(spared[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_a_gradient_is_that_of_advantage_times_log_probability(
    monkeypatch, pairs, recipe, tmp_path
):
    """TRL's loss on our hooks, against the formula written out on what was drawn."""
    seen = {}
    former = Sampling.log_probs

    def look(self, vlm, *arguments):
        if torch.is_grad_enabled():
            seen.update(sampling=self, vlm=vlm, arguments=[a.clone() for a in arguments[:3]])
            seen["width"] = arguments[3]
        return former(self, vlm, *arguments)

    monkeypatch.setattr(Sampling, "log_probs", look)
    options = replace(recipe.reward, beta=0.0)
    found = gradients_of_first_step(
        monkeypatch, pairs, replace(recipe, reward=options), tmp_path / "run"
    )
    rows, ids, mask = seen["arguments"]
    session = load_checkpoint(recipe.start)
    prompter = Prompter(session.processor, session.vlm, session.card.prompt)
    texts = prompter.decode(ids[:, -seen["width"] :])
    rewards = torch.tensor(look_up_rewards(pairs, recipe, texts, rows.tolist()))
    advantages = torch.zeros(len(rows))
    for row in rows.unique():
        of_photo = rewards[rows == row]
        others = (of_photo.sum() - of_photo) / (len(of_photo) - 1)
        advantages[rows == row] = of_photo - others
    start = session.vlm
    log_p, _ = former(seen["sampling"], start, rows, ids, mask, seen["width"])
    (-(advantages * log_p.sum(1)).mean()).backward()
    assert advantages.abs().sum() > 0
    for name, parameter in start.named_parameters():
        if name in found:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-5, msg=name)


def look_up_rewards(pairs, recipe, texts, rows) -> list[float]:
    """Rewards of texts by the recipe, photos in the order of their first rows."""
    cases = [Case(row["photo"], [row["description"]], "") for row in pairs["train"]]
    total = np.zeros(len(texts))
    for part in reward_parts(recipe, cases, "zh"):
        total += part.weight * np.array(part(texts, rows))
    return total.tolist()


@pytest.mark.parametrize("tuning", [{}, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("trainer", ["rloo", "grpo"])
def test_the_run_folder_is_that_of_the_first_stage(
    trainer, tuning, pairs, recipe, written, tmp_path
):
    options = replace(recipe.reward, trainer=trainer)
    recipe = replace(recipe, **tuning, reward=options, calibrate=True)
    run = train(pairs, recipe, tmp_path / "run")
    assert run.status == "finished"
    record = record_of(run.folder)
    scored = [entry["step"] for entry in record["history"] if "eval_cider_d" in entry]
    assert scored == [0, 1, 2]  # the start too
    logged = [entry for entry in record["history"] if "reward" in entry]
    for entry in logged:
        parts = {"cider_d": 2.0, "text_similarity": 0.5, "element_f1": 0.5}
        parts |= {"length": -0.2, "repetition": -0.5}
        total = sum(weight * entry[f"rewards/{name}/mean"] for name, weight in parts.items())
        assert entry["reward"] == pytest.approx(total, abs=1e-5)
    assert logged[0]["kl"] == pytest.approx(0.0, abs=1e-5)  # the reference is the start
    assert abs(logged[1]["kl"]) > 1e-4  # from which the model moves away
    assert (run.folder / "loss.png").stat().st_size > 10_000
    assert last_checkpoint(run.folder / "checkpoints") is not None
    model = load_checkpoint(run.model)
    former = load_card(written)
    assert replace(model.card, version=former.version) == former
    for name in (HEAD_FILE, BANK_FILE, BANK_TEXTS_FILE):
        assert (run.model / name).read_bytes() == (written / name).read_bytes()
    assert (run.model / CALIBRATION_FILE).is_file()  # fitted anew: other weights, other drafts
    ours, theirs = (
        safetensors.torch.load_file(folder / "model.safetensors") for folder in (run.model, written)
    )
    assert ours.keys() == theirs.keys()


@pytest.mark.parametrize(
    "tuning",
    [
        {"llm": Part(compute="bfloat16")},
        LORA
        | {"llm": Part(tune="lora", compute="bfloat16"), "tower": Part("freeze", 1e-4, "bfloat16")},
    ],
    ids=["full", "lora over frozen bfloat16"],
)
def test_parts_may_compute_in_bfloat16(tuning, monkeypatch, pairs, recipe, tmp_path):
    gradients = gradients_of_first_step(
        monkeypatch, pairs, replace(recipe, **tuning), tmp_path / "run"
    )
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    assert sum(float(gradient.abs().sum()) for gradient in gradients.values()) > 0
    # Draw and gradient see one distribution: what is drawn has not moved before the first step.
    [entry] = [e for e in record_of(tmp_path / "run")["history"] if "kl" in e]
    assert abs(entry["kl"]) < 0.02


def test_the_command_line_runs_the_stage(written, pairs_folder, tmp_path, capsys):
    out = tmp_path / "run"
    options = "--stage reward --steps 1 --batch_size 2 --max_text_tokens 8 --reward.samples 4"
    where = ["--data", str(pairs_folder), "--start", str(written), "--out", str(out)]
    assert cli.main(["train", *where, *options.split()]) == 0
    printed = capsys.readouterr().out
    assert "dev cider_d: " in printed
    assert f"model: {out / 'model'}" in printed


def test_what_is_rewarded_becomes_likelier(pairs, recipe, tmp_path):
    # Long texts cost, nothing else varies: elements of babble are none.
    options = Reward(
        samples=8,
        temperature=1.0,
        rate=1.0,
        cider_d=0.0,
        element_f1=1e-6,
        length=1.0,
        repetition=0.0,
        beta=0.0,
    )
    recipe = replace(recipe, steps=25, batch_size=4, evaluate_every=25, max_text_tokens=60)
    rates = {name: Part(learning_rate=3e-4) for name in ("tower", "projector", "llm")}
    run = train(pairs, replace(recipe, **rates, reward=options), tmp_path / "run")
    rewards = [entry["reward"] for entry in record_of(run.folder)["history"] if "reward" in entry]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.05


@pytest.mark.parametrize(
    "tuning",
    [{}, LORA, LORA | {"projector": Part(learning_rate=1e-2)}],
    ids=["full", "lora", "lora and projector"],
)
def test_the_reference_stays_the_start(tuning, monkeypatch, pairs, recipe, written, tmp_path):
    kept = {}
    former = stage.RewardSession._reference

    def keep(self):
        kept["session"], kept["reference"] = self, former(self)
        return kept["reference"]

    monkeypatch.setattr(stage.RewardSession, "_reference", keep)
    train(pairs, replace(recipe, **tuning), tmp_path / "run")
    session = kept["session"]
    inputs = session.prompter.inputs([session.cache.pixels(session.cases[0].photo)])
    with torch.no_grad():
        now = session.vlm(**inputs).logits
        with kept["reference"].use() as start:
            then = start(**inputs).logits
        assert torch.equal(now, session.vlm(**inputs).logits)  # adapters are on again
        expected = load_checkpoint(written).vlm(**inputs).logits
    torch.testing.assert_close(then, expected)
    assert (now - expected).abs().max() > 1e-3


def test_an_interrupted_run_ends_where_it_would_have_ended(monkeypatch, pairs, recipe, tmp_path):
    # Eight photos, two a step: it is cut in the second epoch, whose order is another.
    recipe = replace(recipe, steps=6, evaluate_every=3, save_every=1, keep=6)
    rows, draw = [], Sampling.draw
    with monkeypatch.context() as patch:
        patch.setattr(
            Sampling, "draw", lambda self, vlm, of: rows.append(of.tolist()) or draw(self, vlm, of)
        )
        whole = train(pairs, recipe, tmp_path / "whole")
    first, second = rows[:4], rows[4:]
    assert sorted(photo for of in first for photo in of) == sorted([*range(8)] * 4)
    assert second != first[:2]
    former = Loop._get_grad_norm

    def interrupt(self, model, grad_norm=None):
        if self.state.global_step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return former(self, model, grad_norm)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_get_grad_norm", interrupt)
        assert train(pairs, recipe, tmp_path / "cut").status == "interrupted"
    resumed = train(pairs, recipe, tmp_path / "cut", resume=True)
    assert resumed.status == "finished"
    ours, theirs = (last_checkpoint(run.folder / "checkpoints") for run in (resumed, whole))
    assert ours.name == theirs.name == "checkpoint-6"
    weights = [
        safetensors.torch.load_file(folder / "model.safetensors") for folder in (ours, theirs)
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_the_start_is_kept_where_nothing_was_better(monkeypatch, pairs, recipe, written, tmp_path):
    scores = iter([0.5, 0.4, 0.4])
    monkeypatch.setattr(stage.RewardSession, "dev_scores", lambda self: {"cider_d": next(scores)})
    run = train(pairs, recipe, tmp_path / "run")
    assert any("better than the start model's 0.500" in warning for warning in run.warnings)
    ours, theirs = (
        safetensors.torch.load_file(folder / "model.safetensors") for folder in (run.model, written)
    )
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert run.metrics["step"] == 0


def history(scores, rewards) -> list[dict]:
    """Evaluations at 0, 10, 20 ... and, logged before each but the first, the reward since."""
    entries = [{"step": 10 * i, "eval_cider_d": score} for i, score in enumerate(scores)]
    logged = [{"step": 10 * i + 10, "reward": reward} for i, reward in enumerate(rewards)]
    return sorted([*logged, *entries], key=lambda entry: entry["step"])


@pytest.mark.parametrize(
    ("scores", "rewards", "parted"),
    [
        ([1.0, 1.2, 1.1, 1.1], [0.1, 0.2, 0.3], True),
        ([1.0, 0.9, 0.9], [0.1, 0.2], True),  # the start was the best
        ([1.0, 1.2, 1.1, 1.1], [0.3, 0.2, 0.1], False),  # the reward fell too
        ([1.0, 1.2, 1.1, 1.1], [0.1, 0.9, 0.1], False),  # it is where it was
        ([1.0, 1.2, 1.1, 1.3], [0.1, 0.2, 0.3], False),
        ([1.0, 1.2, 1.1], [0.1, 0.2], False),  # not long enough
        ([1.2, 1.2, 1.2], [0.1, 0.2], True),  # equal is not better
    ],
)
def test_the_run_stops_when_reward_and_dev_part(scores, rewards, parted):
    told = []
    state = SimpleNamespace(log_history=history(scores, rewards))
    control = SimpleNamespace(should_training_stop=False)
    StopWhenParted("cider_d", 2, told.append).on_evaluate(None, state, control)
    assert control.should_training_stop is parted
    assert bool(told) is parted


def test_draws_are_from_the_distribution_that_is_scored(start, tmp_path):
    own = {"repetition_penalty": 5.0, "min_p": 0.9, "no_repeat_ngram_size": 1, "typical_p": 0.1}
    own |= {"bad_words_ids": [list(range(token, token + 2)) for token in range(3, 200)]}
    own |= {"min_new_tokens": 6, "top_k": 2, "do_sample": True}
    with_habits = Path(shutil.copytree(start, tmp_path / "model"))
    settings = with_habits / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | own))

    def draw(folder: Path) -> list[list[int]]:
        vlm, sampling = sampling_of(folder)
        torch.manual_seed(3)
        return sampling.draw(vlm, torch.tensor([0, 0, 1, 1]))

    # `log_probs` scores by temperature and suppressed tokens alone.
    assert draw(with_habits) == draw(start)


@pytest.mark.parametrize(
    ("photos", "batch_size", "accumulation", "steps"),
    [
        (8, 2, 1, 12),
        (8, 2, 8, 3),  # a step never holds more than one round of the photos
        (8, 2, 3, 6),  # three batches, then one
        (15, 8, 1, 6),  # seven photos are left out of each round
        (8, 8, 1, 3),
    ],
)
def test_epochs_are_passes_over_the_photos(photos, batch_size, accumulation, steps):
    recipe = Recipe(epochs=3, batch_size=batch_size, accumulation=accumulation)
    assert stage._steps(recipe, photos) == steps


def test_a_run_that_had_parted_takes_no_step_when_it_is_resumed():
    state = SimpleNamespace(log_history=history([1.0, 1.2, 1.1, 1.1], [0.1, 0.2, 0.3]))
    told, control = [], SimpleNamespace(should_training_stop=False)
    StopWhenParted("cider_d", 2, told.append).on_train_begin(None, state, control)
    assert control.should_training_stop
    assert told  # the reason stands in run.json again


def test_it_is_said_where_draws_are_hardly_language(pairs, recipe, start, tmp_path):
    # An untrained model: any of 260 letters, 5.6 nats.
    run = train(pairs, replace(recipe, start=str(start)), tmp_path / "run")
    assert any("are wild (entropy 5." in warning for warning in run.warnings)
    cold = replace(recipe.reward, temperature=0.01)
    run = train(pairs, replace(recipe, reward=cold), tmp_path / "cold")
    assert not any("wild" in warning for warning in run.warnings)


@pytest.mark.parametrize(("slope", "found"), [(0.1, 1.0), (0.9, 0.5), (9.0, 0.2)])
def test_the_temperature_is_the_highest_whose_draws_are_calm(slope, found, written, monkeypatch):
    _, sampling = sampling_of(written)
    monkeypatch.setattr(Sampling, "_entropy", lambda self, *_: slope * self.temperature)
    sampling.calm_down(None, seed=0)
    assert sampling.temperature == found


def test_colder_draws_hold_less_entropy_and_trials_leave_no_trace(written):
    vlm, sampling = sampling_of(written)
    state = torch.random.get_rng_state()
    sampling.calm_down(vlm, seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    entropies = []
    for sampling.temperature in (1.0, 0.5, 0.2):
        entropies.append(sampling._entropy(vlm, torch.arange(5).repeat_interleave(8)))
    assert entropies == sorted(entropies, reverse=True)


def test_a_recipe_without_temperature_draws_calmly(monkeypatch, pairs, recipe, tmp_path):
    monkeypatch.setattr(Sampling, "_entropy", lambda self, *_: self.temperature)
    recipe = replace(recipe, steps=1, reward=replace(recipe.reward, temperature=None))
    run = train(pairs, replace(recipe, calibrate=False), tmp_path / "run")
    assert record_of(run.folder)["data"]["temperature"] == 0.5


def test_the_parts_learn_more_slowly_than_in_the_first_stage():
    rates = {"tower": 1e-4, "projector": 2e-4, "llm": 3e-4}
    recipe = Recipe(**{part: Part(learning_rate=rate) for part, rate in rates.items()})
    slowed = stage._slowed(replace(recipe, reward=Reward(rate=0.1)))
    for part, rate in rates.items():
        assert getattr(slowed, part).learning_rate == pytest.approx(rate / 10)


def test_the_reason_for_an_early_end_is_in_the_record(monkeypatch, pairs, recipe, tmp_path):
    scores = iter([0.5, 0.4, 0.3, 0.2])
    monkeypatch.setattr(stage.RewardSession, "dev_scores", lambda self: {"cider_d": next(scores)})
    monkeypatch.setattr(StopWhenParted, "_reward", staticmethod(lambda state, a, b: float(b)))
    recipe = replace(recipe, steps=5, reward=replace(recipe.reward, part_after=2))
    run = train(pairs, recipe, tmp_path / "run")
    assert run.status == "stopped_early"
    record = record_of(run.folder)
    assert record["steps"] == 2
    assert record["reason"].startswith("reward and dev have parted: the reward rose from 1.000 to")
    assert record["reason"] in run.warnings


def test_a_loss_that_is_no_number_stops_the_run(monkeypatch, pairs, recipe, tmp_path):
    former = Sampling.log_probs

    def broken(self, *arguments):
        found, entropies = former(self, *arguments)
        return found * float("nan"), entropies

    monkeypatch.setattr(Sampling, "log_probs", broken)
    with pytest.raises(TrainingDivergedError, match="loss is not a finite number at step 1"):
        train(pairs, recipe, tmp_path / "run")


# ---- what is refused -----------------------------------------------------------------------------


def test_without_trl_it_says_what_to_install(monkeypatch, pairs, recipe, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "trl" else find(name)
    )
    with pytest.raises(InputError, match=r"needs TRL.*pip install \"\.\[reward\]\""):
        train(pairs, recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 9}, "batch_size is 9, but there are only 8 training photos"),
        ({"image_size": 64}, "keeps the size that its start was trained with"),
    ],
)
def test_what_cannot_be_is_refused(change, words, pairs, recipe, tmp_path):
    with pytest.raises(InputError, match=words):
        train(pairs, replace(recipe, **change), tmp_path / "run")


def test_several_processes_are_refused(monkeypatch, pairs, recipe, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="runs in one process"):
        train(pairs, recipe, tmp_path / "run")


@pytest.mark.parametrize(
    "reward", [{"samples": 1}, {"beta": -1.0}, {"rate": 0.0}, {"cider_d": 0.0, "element_f1": 0.0}]
)
def test_a_recipe_that_makes_no_sense_is_refused(reward):
    with pytest.raises(InputError, match="reward"):
        Recipe(start="x", stage="reward", reward=Reward(**reward))


def test_a_run_without_the_safe_photos_of_its_start_says_so(pairs, recipe, written, tmp_path):
    folder = shutil.copytree(written, tmp_path / "start" / "model")
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    card |= {"safe_share": 0.5, "safe_text": "已整改"}
    (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    recipe = replace(recipe, start=str(folder), steps=1, calibrate=False)
    run = train(pairs, recipe, tmp_path / "run")
    assert any("trained with safe_share 0.5, this run is not" in one for one in run.warnings)
    kept = load_card(run.model)  # what `calibrate` goes by
    assert (kept.safe_share, kept.safe_text) == (0.5, "已整改")


def test_a_checkpoint_without_a_card_takes_the_recipes_words(pairs, recipe, written, tmp_path):
    import shutil

    bare = shutil.copytree(written, tmp_path / "bare")
    (bare / CARD_FILE).unlink()
    run = train(pairs, replace(recipe, start=str(bare), prompt="什么隐患"), tmp_path / "run")
    assert load_card(run.model).prompt == "什么隐患"
