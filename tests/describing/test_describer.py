"""Photos in, descriptions out: one or many, good or bad, to screen or file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from hazardscribe import Recipe, describe, import_ledger, read_pairs, train
from hazardscribe.describing import describer as describing
from hazardscribe.describing.describer import Describer, Description
from hazardscribe.describing.description_files import record, write_records
from hazardscribe.describing.sources import find_photos
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.model.checkpoint import load_checkpoint, save_checkpoint
from hazardscribe.pairs.columns import AI_COLUMNS, AI_KEY


@pytest.fixture(scope="module")
def describer(start) -> Describer:
    return Describer(start, batch_size=3, max_new_tokens=8)


def test_one_photo_by_path_or_bytes(describer, photos):
    by_name = describer(photos[0])
    assert isinstance(by_name, Description)
    assert by_name.error is None
    assert by_name == describer(Path(photos[0])) == describer(Path(photos[0]).read_bytes())


def test_several_photos_in_their_order(describer, photos):
    described = describer(photos[:5])
    assert [d.text for d in described] == [describer(photo).text for photo in photos[:5]]
    assert all(0 < d.confidence <= 1 for d in described)
    assert describer([]) == []


def test_a_bad_photo_does_not_stop_the_rest(describer, photos, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    described = describer([photos[0], bad, tmp_path / "missing.png", photos[1]])
    assert [d.error and d.error.reason for d in described] == [
        None,
        "not_an_image",
        "missing",
        None,
    ]
    assert described[1].text == ""
    assert described[3].text == describer(photos[1]).text
    with pytest.raises(PhotoError, match=r"bad\.jpg"):
        describer(bad)


@pytest.mark.parametrize("beams", [1, 2, 4])
def test_further_descriptions_leave_the_first_as_it_is(beams, start, photos):
    alone = Describer(start, beams=beams, max_new_tokens=6)
    several = Describer(start, beams=beams, alternatives=3, max_new_tokens=6)
    widest = Describer(start, beams=4, alternatives=3, max_new_tokens=6)
    for photo in photos[:2]:
        described, plain, wide = several(photo), alone(photo), widest(photo)
        texts = [described.text, *described.alternatives]
        assert 1 <= len(described.alternatives) <= 3
        assert len(set(texts)) == len(texts)
        assert described.text == plain.text
        assert described.confidence == pytest.approx(plain.confidence, rel=1e-4)
        found = [text for text in (wide.text, *wide.alternatives) if text != plain.text]
        assert described.alternatives == found[:3]


def test_confidence_is_the_mean_probability_of_the_tokens(describer, photos):
    import torch

    [made] = describer([photos[0]])
    inputs = describer.prompter.inputs([describer.pixels(photos[0])])
    prompt = inputs["input_ids"].shape[1]
    suppressed = describer.vlm.generation_config.suppress_tokens
    with torch.no_grad():
        output = describer.vlm.generate(**inputs, max_new_tokens=8)
        new = output[0, prompt:]
        more = {"input_ids": output, "attention_mask": torch.ones_like(output)}
        logits = describer.vlm(**(inputs | more)).logits[0, prompt - 1 : -1]
    logits[:, suppressed] = float("-inf")
    chosen = logits.log_softmax(-1).gather(1, new[:, None])
    assert made.confidence == pytest.approx(float(chosen.mean().exp()), rel=1e-4)


def test_the_placeholder_is_never_written_whatever_the_checkpoint_says(start, photos, tmp_path):
    import torch

    loaded = load_checkpoint(start)
    image = loaded.vlm.config.image_token_id
    loaded.vlm.generation_config.suppress_tokens = None
    with torch.no_grad():
        loaded.vlm.lm_head.weight[image] = 0
        loaded.vlm.lm_head.weight *= -1  # the zero row is now as good as any
    save_checkpoint(tmp_path / "model", loaded.vlm, loaded.processor)
    plain = Describer(tmp_path / "model", max_new_tokens=8)
    inputs = plain.prompter.inputs([plain.pixels(photos[0])])
    assert plain.vlm.generation_config.suppress_tokens == [image]
    from hazardscribe.describing import generate

    made = generate.generate(
        plain.vlm, plain.prompter, [plain.pixels(photos[0])], generate.Decoding(max_new_tokens=8)
    )
    ids = plain.processor.tokenizer.encode(made[0].texts[0], add_special_tokens=False)
    assert image not in ids
    assert (inputs["input_ids"] == image).sum() == 16


def test_bfloat16_products_give_a_description_too(start, photos):
    assert 0 < Describer(start, precision="bfloat16", max_new_tokens=4)(photos[0]).confidence <= 1


def test_a_checkpoint_of_elsewhere_needs_no_card(start, photos, tmp_path):
    import shutil

    folder = shutil.copytree(start, tmp_path / "model")
    (folder / "hazardscribe.json").unlink()
    assert Describer(folder, max_new_tokens=4)(photos[0]).error is None
    (folder / "hazardscribe.json").write_text("{")
    with pytest.raises(InputError, match=r"hazardscribe\.json: is not valid"):
        Describer(folder)


def test_photos_are_found_by_name_folder_and_pattern(pairs_folder, photos, tmp_path):
    assert find_photos([pairs_folder]) == photos
    assert find_photos([f"{pairs_folder}/0[01].png", photos[1], photos[2]]) == photos[:3]
    assert find_photos([tmp_path / "missing.jpg"]) == [str(tmp_path / "missing.jpg")]
    odd = tmp_path / "a[1].png"
    odd.write_bytes(b"")
    assert find_photos([odd]) == [str(odd)]


@pytest.mark.parametrize(
    ("source", "message"), [("empty", "holds no photos"), ("*.jpg", "matches no file")]
)
def test_a_source_without_photos_is_refused(source, message, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        find_photos([tmp_path / source])
    with pytest.raises(InputError, match="name at least one"):
        find_photos([])


RECORDS = [
    record("a.jpg", Description('工人，未戴"安全帽"', ["=HYPERLINK()"], 0.81234)),
    record("=b.jpg", Description("", error=PhotoError("missing", "=b.jpg: no such file"))),
]


def test_records_as_lines_of_json(tmp_path):
    path = tmp_path / "new" / "out.jsonl"
    assert list(write_records(iter(RECORDS), path)) == RECORDS
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == RECORDS
    assert RECORDS[0]["confidence"] == 0.8123
    assert RECORDS[1]["error"] == "missing: no such file"


def test_records_as_a_table_that_excel_reads_and_does_not_run(tmp_path):
    path = tmp_path / "out.csv"
    list(write_records(iter(RECORDS), path))
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["AI描述"] for row in rows] == ['工人，未戴"安全帽"', ""]
    assert rows[0]["alternatives"] == "'=HYPERLINK()"
    assert rows[1]["photo"] == "'=b.jpg"
    assert rows[1]["confidence"] == ""


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx"])
def test_what_the_model_wrote_is_never_taken_for_truth(kind, language, start, photos, tmp_path):
    path = tmp_path / f"described.{kind}"
    made = [record(photo, Description("工人未戴安全帽", [], 0.8)) for photo in photos[:4]]
    list(write_records(iter(made), path, language=language))
    name = AI_KEY if kind == "jsonl" else AI_COLUMNS[language]
    if kind != "jsonl":  # which import does not read
        with pytest.raises(InputError, match="no column for the description"):
            import_ledger(path, dry_run=True)
        named = import_ledger(path, dry_run=True, columns={"description": name})
        assert named.account.rows_imported == 4
    if kind != "xlsx":  # which read_pairs does not read
        with pytest.raises(InputError, match=f"'{name}' is what a program wrote"):
            read_pairs(path)
        with pytest.raises(InputError, match=f"'{name}' is what a program wrote"):
            train(path, Recipe(start=str(start)), tmp_path / "run")
        assert len(read_pairs(path, columns={"description": name})) == 4


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_description_that_a_person_put_beside_it_counts(kind, photos, tmp_path):
    path = tmp_path / f"described.{kind}"
    list(write_records([record(photos[0], Description("工人未戴安全帽", [], 0.8))], path))
    text = path.read_text(encoding="utf-8-sig")
    if kind == "csv":
        header, line, *_ = text.splitlines()
        text = f"{header},隐患描述\n{line},两名工人未系安全带\n"
    else:
        text = json.dumps({**json.loads(text), "隐患描述": "两名工人未系安全带"}) + "\n"
    path.write_text(text, encoding="utf-8")
    assert read_pairs(path).frame["description"].tolist() == ["两名工人未系安全带"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.csv", "photo,description\na.jpg,text\n"),
        ("pairs.jsonl", '{"photo": "a.jpg", "description": "text"}\n'),
        ("notes.csv", "\xff"),
    ],
)
def test_a_file_of_the_user_is_never_written_over(name, content, start, photos, tmp_path):
    path = tmp_path / name
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match="not written by `describe`"):
        describe(photos[0], start, out=path)
    with pytest.raises(InputError, match="not written by `describe`"):
        list(write_records(iter(RECORDS), path))
    assert path.read_text(encoding="latin-1") == content


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_an_earlier_result_may_be_written_over(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"")
    for language in ("zh", "en", "zh"):
        assert list(write_records(iter(RECORDS), path, language=language)) == RECORDS


def test_what_was_described_before_a_crash_is_in_the_file(tmp_path):
    path = tmp_path / "out.jsonl"
    writing = write_records(iter(RECORDS), path)
    next(writing)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must be \.jsonl, \.csv or \.xlsx"):
        list(write_records(iter(RECORDS), tmp_path / "out.xls"))


def test_the_verb_takes_one_name_as_well_as_many(start, photos):
    [one] = describe(photos[0], start, max_new_tokens=4)
    [many, _] = describe(photos[:2], start, max_new_tokens=4)
    assert one == many
    assert one["photo"] == photos[0]


@pytest.fixture
def small_gpu(monkeypatch):
    """Let a batch of more than so many photos run out of memory; the batches tried."""

    def holding(most: int) -> list[int]:
        former, tried = describing.generate, []

        def generate(vlm, prompter, photos, *args, **kwargs):
            tried.append(len(photos))
            if len(photos) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return former(vlm, prompter, photos, *args, **kwargs)

        monkeypatch.setattr(describing, "generate", generate)
        return tried

    return holding


def test_where_memory_runs_out_fewer_photos_are_described_at_a_time(
    start, photos, small_gpu, caplog
):
    wanted = Describer(start, max_new_tokens=4)(photos[:8])
    describer = Describer(start, max_new_tokens=4, batch_size=5)
    tried = small_gpu(1)
    assert [one.text for one in describer(photos[:8])] == [one.text for one in wanted]
    assert tried == [5, 2, *[1] * 8]  # what was decoded ahead is not tried as a whole
    assert "out of GPU memory with 5 photos at a time: going on with 2" in caplog.text


def test_where_a_single_photo_is_too_much_it_says_what_to_do(start, photos, small_gpu):
    describer = Describer(start, max_new_tokens=4)
    small_gpu(0)
    with pytest.raises(InputError, match="with a single photo"):
        describer(photos[:2])


def test_a_model_that_does_not_fit_is_told_of(start, monkeypatch):
    def to(self, device):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    loaded = describing.load_checkpoint(start)
    monkeypatch.setattr(type(loaded.vlm), "to", to)
    monkeypatch.setattr(describing, "load_checkpoint", lambda _: loaded)
    with pytest.raises(InputError, match="does not fit into the memory that is free on cpu"):
        Describer(start)
