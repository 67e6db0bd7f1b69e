"""Verbs on new photos: describe, similar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError, missing_package


def describe(
    photos: Sequence[str],
    model: Path | None = None,
    out: Path | None = None,
    resume: bool = False,
    engine: str | None = None,
    engine_model: str | None = None,
    beams: int = 1,
    alternatives: int = 0,
    batch_size: int = 16,
    max_new_tokens: int | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    device: str | None = None,
    rerank: bool | None = None,
    doubt: bool = True,
    risk: float | None = None,
) -> Any:
    """Describe photos, one record each, as they come; a bad photo's record says why.

    Started as several processes (`torchrun`, `accelerate launch`), each takes its share of the
    photos and the records come together in `out`.

    Args:
        photos: photos, folders or patterns.
        model: model folder. With `engine`, only its prompt, language and size of photos are used.
        out: file to write: `.jsonl`, `.csv` or `.xlsx` (with the photos). An existing file is
            replaced only if `describe` wrote it.
        resume: describe only photos that have no line in `out` (a `.jsonl`) yet; append them.
        engine: base URL of an OpenAI-compatible endpoint that describes in place of a model in this
            process, or of several, separated by commas; its key is taken from
            HAZARDSCRIBE_ENGINE_KEY in the environment.
        engine_model: name of the model at the endpoint; default: the only one that it lists.
        beams: number of beams in the search for the most likely text; 1: greedy.
        alternatives: further descriptions a photo; the first stays as it is without them.
        batch_size: photos described at a time.
        max_new_tokens: longest description, in tokens; default: the length that the model was
            trained to; for an endpoint 96.
        precision: number format of matrix products; bfloat16 halves the memory of their weights.
        device: `cpu`, `cuda` ...; default: a GPU if there is one.
        rerank: compare several candidates by both likelihoods; default: if it gained on dev.
        doubt: hold back a description that is not sure enough; `--doubt false` gives every draft.
        risk: target share of unacceptable answers; default: the calibration's.

    Returns:
        An iterator of records: photo, ai_description, confidence, doubt, draft, alternatives,
        error. The text is not called `description`, so that nobody trains on it unconfirmed.

    Raises:
        InputError: photos, model, endpoint or options cannot be used, or `out` not be written.
            Single photos that cannot be read carry their error in their record.
    """
    from hazardscribe.describing.description_files import check_out, write_records
    from hazardscribe.describing.journal import Journal
    from hazardscribe.describing.sources import find_photos
    from hazardscribe.processes import processes

    rank, world = processes()
    if out is None and (resume or world > 1):
        raise InputError("--out: name a .jsonl file; --resume and several processes need one")
    if out is not None:
        check_out(Path(out))
    found = find_photos([photos] if isinstance(photos, str | Path) else photos)
    journal = None
    if out is not None and (resume or world > 1):
        journal = Journal(Path(out), found, rank, world, resume)
        if not journal.todo:
            return journal.write(())
        found = list(journal.todo)
    if engine is not None:
        if alternatives or rerank is not None or risk is not None or not doubt or beams != 1:
            raise InputError(
                "--engine: beams, alternatives, rerank, doubt and risk are up to the endpoint; "
                "leave them out"
            )
        engines = _engines(engine, engine_model, model, batch_size, max_new_tokens)
        records, language = _by_engines(engines, found, batch_size)
    elif model is not None:
        records, language = _by_model(
            found,
            model,
            device=_own_device() if device is None and world > 1 else device,
            beams=beams,
            alternatives=alternatives,
            batch_size=batch_size,
            max_new_tokens=max_new_tokens,
            precision=precision,
            rerank=rerank,
            doubt=doubt,
            risk=risk,
        )
    else:
        raise InputError("describe: name a model folder (--model) or an endpoint (--engine)")
    if journal is not None:
        return journal.write(records)
    if out is not None:
        return write_records(records, Path(out), language=language, alternatives=alternatives > 0)
    return records


def _by_model(
    photos: Sequence[str], model: Path, **options: Any
) -> tuple[Iterator[dict[str, Any]], str]:
    """Records of what a model in this process says of photos, and its language."""
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.description_files import record
    from hazardscribe.model.memory import keep_freed_memory

    describer = Describer(model, **options)
    if describer.device == "cpu":
        keep_freed_memory()
    made = zip(photos, describer.stream(photos), strict=True)
    return (record(*one) for one in made), describer.card.language


def _by_engines(
    engines: Sequence[Any], photos: Sequence[str], batch_size: int
) -> tuple[Iterator[dict[str, Any]], str]:
    """Records of what endpoints say of photos, and their language."""
    from hazardscribe.describing.description_files import record
    from hazardscribe.serving.bulk import Endpoints, plain

    endpoints = Endpoints(engines, batch_size)
    records = (
        record(photo, plain(one)) | ({"confidence": None} if one.confidence is None else {})
        for photo, one in zip(photos, endpoints.stream(photos), strict=True)
    )
    return records, endpoints.language


def _engines(
    addresses: str,
    name: str | None,
    model: Path | None,
    batch_size: int,
    max_new_tokens: int | None,
) -> list[Any]:
    """The endpoints named, asked for their model's name where none is given."""
    from importlib.util import find_spec

    from hazardscribe.serving.settings import ServeSettings, secrets_of_environment

    if find_spec("httpx") is None:
        raise InputError(f"--engine: {missing_package('httpx', 'serve')}")
    from hazardscribe.serving.remote_engine import RemoteEngine

    given = [address.strip() for address in addresses.split(",") if address.strip()]
    if not given:
        raise InputError("--engine: is empty; name a base URL such as http://127.0.0.1:9000/v1")
    return [
        RemoteEngine(
            ServeSettings(
                model=model,
                engine=address,
                engine_model=name,
                engine_key=secrets_of_environment()["engine_key"],
                max_batch=batch_size,
                max_photos=1,
                queue_size=4 * batch_size * len(given),
                deadline_s=300,
                max_new_tokens=max_new_tokens,
            )
        )
        for address in given
    ]


def _own_device() -> str:
    """Of several processes on a machine each has its own GPU, if there are any."""
    import os

    import torch

    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"


def similar(
    photo: Path,
    model: Path,
    data: Any,
    k: int = 5,
    split: str | None = None,
    out: Path | None = None,
    batch_size: int = 16,
    device: str | None = None,
    progress: bool = False,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
) -> Any:
    """Find the past cases most like a photo, by what the aligned encoder sees in them.

    Args:
        photo: the photo; it need not be in the pairs.
        model: model folder.
        data: the pairs, or their path.
        k: number of cases.
        split: search only this split; default: all.
        out: `.html` page to write, with the photos.
        batch_size: photos described at a time.
        device: `cpu`, `cuda` ...; default: a GPU if there is one.
        progress: show a progress bar.
        photos: folder of the pairs' photos, if it is not the table's.
        columns: names of the `photo`, `description` and `split` columns, if they have unusual
            names: `--columns.photo NAME`.

    Returns:
        A list of `PastCase`: photo, texts, similarity ...; most alike first.

    Raises:
        InputError: the model holds no alignment, the pairs cannot be read, or the page not written.
        PhotoError: the photo cannot be used.
    """
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.similar import find_similar
    from hazardscribe.describing.similar_page import check_page, write_page
    from hazardscribe.pairs.left_out import tell_left_out
    from hazardscribe.pairs.read import Pairs, read_pairs

    if k < 1:
        raise InputError(f"--k {k}: must be at least 1.")
    if out is not None:
        check_page(Path(out))
    describer = Describer(model, device=device, batch_size=batch_size, calibrated=False)
    if not isinstance(data, Pairs):
        data = read_pairs(data, photos=photos, columns=columns, progress=progress)
        tell_left_out(data)
    splits = list(data.splits) if split is None else [split]
    rows = [row for name in splits for row in data[name]]
    found = find_similar(describer, photo, rows, k, progress=progress)
    if out is not None:
        write_page(Path(out), photo, found, describer.card.language)
    return found
