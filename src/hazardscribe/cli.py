"""The command line: parses, calls the verbs, prints, sets the exit code. Nothing else.

What it imports at once loads neither torch nor transformers, so that help comes quickly.

Exit codes: 0 done, 1 findings (`check`), 2 unusable input or arguments, 3 rejects under --strict,
4 training diverged (the loss is no longer a number), 128 + n stopped by signal n (resumable).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hazardscribe import __version__, console, verbs
from hazardscribe.arguments import Parser
from hazardscribe.demo import demo
from hazardscribe.errors import InputError, TrainingDivergedError
from hazardscribe.flags import as_parsed
from hazardscribe.processes import is_first, processes
from hazardscribe.serving.settings import SECRETS, ServeSettings, secrets_of_environment
from hazardscribe.training.recipe import Recipe

OK, FINDINGS, UNUSABLE, REJECTED, DIVERGED = 0, 1, 2, 3, 4

# Verbs that train or serve end on SIGTERM in a way of their own.
_OWN_SIGNALS = ("train", "serve", "demo")

_DESCRIPTION = """\
Learns from your own hazard photos and descriptions to write the description for a new photo.
从本单位的隐患照片和描述中学习，为新照片写出隐患描述。"""


def build_parser() -> Any:
    """The parser of all verbs."""
    parser = Parser(prog="hazardscribe", description=_DESCRIPTION, version=__version__)
    subcommands = parser.add_subcommands(dest="verb")

    def add(name: str, summary: str) -> Any:
        sub = Parser(description=summary)
        subcommands.add_subcommand(name, sub, help=summary)
        return sub

    sub = add("demo", "Draw scenes, train a small model from scratch, evaluate it, show the result")
    sub.add_function_arguments(demo, skip={"say"})
    sub = add("import", "Turn a ledger (Excel, CSV, zip) into clean pairs, every row accounted for")
    sub.add_argument("ledger", type=Path, help="workbook, CSV, zip of ledgers and photos, folder")
    sub.add_function_arguments(verbs.import_ledger, skip={"ledger", "progress", "say"})
    sub.add_argument("--strict", type=bool, default=False, help="exit code 3 if records are lost")
    sub = add("check", "Look over pairs before training on them; changes nothing")
    sub.add_argument("pairs", type=Path, help="the pairs: a folder or a table")
    sub.add_function_arguments(verbs.check, skip={"pairs", "progress"})
    sub.add_argument(
        "--fail-on",
        choices=("error", "warning", "hint", "never"),
        default="error",
        help="end with code 1 where a finding is at least as bad as this",
    )
    sub = add(
        "merge", "Put several folders of pairs into one: the old pairs, and corrections since"
    )
    sub.add_argument("pairs", nargs="+", type=Path, help="folders or tables, the older first")
    sub.add_function_arguments(verbs.merge, skip={"pairs", "progress"})
    sub = add("init", "Compose a model to start from: a visual tower and a language model")
    sub.add_function_arguments(verbs.init)
    sub = add("train", "Train on pairs with a recipe (--config recipe.yaml)")
    sub.add_argument("--config", action="config", help="recipe in YAML; options override it")
    sub.add_argument("--data", type=Path, required=True, help="the pairs: a folder or a table")
    sub.add_argument("--out", type=Path, default=Path("runs/train"), help="run folder")
    sub.add_argument("--photos", type=Path, help="folder of the photos, if it is not the table's")
    columns = "names of the photo, description and split columns: --columns.photo NAME"
    sub.add_argument("--columns", type=dict[str, str], help=columns)
    sub.add_argument("--resume", type=bool, default=False, help="go on from the last checkpoint")
    sub.add_class_arguments(Recipe, None)
    sub = add("evaluate", "Describe a split, score it beside baselines, write a report")
    sub.add_function_arguments(verbs.evaluate_model, skip={"progress"})
    sub = add("describe", "Describe photos, folders or patterns")
    sub.add_argument("photos", nargs="+", help="photos, folders or patterns")
    sub.add_function_arguments(verbs.describe, skip={"photos"})
    sub = add("calibrate", "Fit confidence, doubt and re-ranking on dev, into the model folder")
    sub.add_function_arguments(verbs.calibrate, skip={"progress", "data"})
    sub.add_argument("--data", type=Path, required=True, help="the pairs it was trained on")
    sub = add("similar", "Find the past cases most like a photo")
    sub.add_argument("photo", type=Path, help="the photo; it need not be of the pairs")
    sub.add_function_arguments(verbs.similar, skip={"photo", "progress", "data"})
    sub.add_argument("--data", type=Path, required=True, help="the pairs: a folder or a table")
    sub = add("serve", "Serve the inspectors' page, the API and the ledger")
    sub.add_argument("--config", action="config", help="settings in YAML; options override them")
    sub.add_class_arguments(ServeSettings, None, skip=set(SECRETS))
    sub = add("export", "Write pairs as a ledger (xlsx), for Label Studio, or as a pairs folder")
    sub.add_argument("pairs", type=Path, help="pairs, or a .jsonl that describe wrote")
    sub.add_function_arguments(verbs.export, skip={"pairs", "progress"})
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `hazardscribe` command."""
    console.escape_unprintable()
    parser = build_parser()
    parsed = parser.parse_args(as_parsed(sys.argv[1:] if arguments is None else arguments))
    options = vars(parser.instantiate(parsed)[parsed.verb])
    options.pop("config", None)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # Of several processes the first speaks; what goes wrong in another must still be seen.
    logging.getLogger("hazardscribe").setLevel(logging.INFO if is_first() else logging.ERROR)
    _quiet_libraries()
    try:
        with nullcontext() if parsed.verb in _OWN_SIGNALS else console.ending_on_sigterm():
            return _VERBS[parsed.verb](options)
    except InputError as error:
        print(f"hazardscribe {parsed.verb}: {error}", file=sys.stderr)
        return UNUSABLE
    except TrainingDivergedError as error:
        print(f"hazardscribe {parsed.verb}: {error}", file=sys.stderr)
        return DIVERGED
    except KeyboardInterrupt as interrupt:
        print(f"hazardscribe {parsed.verb}: interrupted", file=sys.stderr)
        return 128 + (
            signal.SIGTERM if isinstance(interrupt, console.Terminated) else signal.SIGINT
        )
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which may not be loaded
            raise
        logging.getLogger(__name__).debug("where memory ran out", exc_info=True)
        print(
            f"hazardscribe {parsed.verb}: out of GPU memory. Lower --batch_size, or give "
            "--precision bfloat16 where the verb has it; another program may hold memory, too "
            "(nvidia-smi tells).",
            file=sys.stderr,
        )
        return UNUSABLE
    except BrokenPipeError:  # `hazardscribe describe ... | head`
        console.nobody_reads()
        return OK
    except OSError as error:  # the last net: a disk, a folder, a permission
        logging.getLogger(__name__).debug("the file error in full", exc_info=True)
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"hazardscribe {parsed.verb}: {where}{error.strerror or error}. "
            "Check the path, its permissions and the free space.",
            file=sys.stderr,
        )
        return UNUSABLE


def _demo(options: dict[str, Any]) -> int:
    _tell_evaluation(demo(**options), options["out"])
    return OK


def _check(options: dict[str, Any]) -> int:
    from hazardscribe.pairs.checking.summary import summary_lines

    least = options.pop("fail_on")
    report = verbs.check(**options, progress=True)
    for line in summary_lines(report):
        print(line)
    if options["out"] is not None:
        print(f"report: {options['out']}")
    return FINDINGS if report.failed(least) else OK


def _import(options: dict[str, Any]) -> int:
    strict = options.pop("strict")
    imported = verbs.import_ledger(**options, progress=sys.stderr.isatty(), say=console.say)
    if imported.folder is not None:
        console.say(f"pairs: {imported.folder}; report: {imported.folder / 'report.html'}")
    if strict and imported.findings:
        print(f"{imported.findings} rows or pictures were left out (--strict)", file=sys.stderr)
        return REJECTED
    return OK


def _merge(options: dict[str, Any]) -> int:
    for line in verbs.merge(**options, progress=sys.stderr.isatty()).lines():
        print(line)
    print(f"pairs: {options['out']}")
    return OK


def _init(options: dict[str, Any]) -> int:
    print(f"model: {verbs.init(**options)}")
    return OK


def _train(options: dict[str, Any]) -> int:
    from hazardscribe.training import together

    data, out, resume = (options.pop(name) for name in ("data", "out", "resume"))
    where = {name: options.pop(name) for name in ("photos", "columns")}
    where = {name: value for name, value in where.items() if value is not None}
    progress = is_first()
    run = verbs.train(data, Recipe(**options), out, resume=resume, progress=progress, **where)
    if is_first():
        _tell_run(run)
    together.leave()
    return OK if run.signal is None else 128 + int(run.signal)


def _tell_run(run: Any) -> None:
    if run.signal is not None:
        print("stopped; the same command with --resume added goes on", file=sys.stderr, flush=True)
        return
    for name, value in run.metrics.items():
        print(f"dev {name}: {value:.4g}")
    print(f"model: {run.model}", flush=True)


def _evaluate(options: dict[str, Any]) -> int:
    _tell_evaluation(verbs.evaluate_model(**options, progress=True), options["out"])
    return OK


def _tell_evaluation(evaluation: Any, out: Path) -> None:
    from hazardscribe.evaluation.summary import summary_lines

    for line in summary_lines(evaluation):
        print(line)
    print(f"report: {out / 'report.html'}")


def _describe(options: dict[str, Any]) -> int:
    rank, world = processes()
    described = failed = 0
    for record in verbs.describe(**options):
        if record["error"] is None:
            described += 1
            if world == 1:
                print(f"{record['photo']}\t{record['ai_description']}", flush=True)
        else:
            failed += 1
            print(f"{record['photo']}: {record['error']}", file=sys.stderr, flush=True)
    if failed:
        photos = f"{described + failed} photo{'s' if described + failed > 1 else ''}"
        where = "their rows" if options["out"] else "the lines above"
        print(f"{failed} of {photos} could not be read; {where} say why", file=sys.stderr)
    if world > 1:
        print(f"process {rank} of {world}: {described + failed} photos", file=sys.stderr)
    # Of several processes, and of a run that goes on, one may have had nothing left to do, or only
    # photos that nobody can read; a code other than 0 would have its launcher end all the others.
    shared = world > 1 or options["resume"]
    return OK if described or shared or not failed else UNUSABLE


def _calibrate(options: dict[str, Any]) -> int:
    from hazardscribe.describing.summary import summary_lines

    calibration = verbs.calibrate(**options, progress=True)
    for line in summary_lines(calibration):
        print(line)
    print(f"model: {options['model']}")
    return OK


def _similar(options: dict[str, Any]) -> int:
    for case in verbs.similar(**options, progress=sys.stderr.isatty()):
        print(f"{case.photo}\t{' | '.join(case.texts)}\t{case.similarity:.3f}")
    if options["out"] is not None:
        print(f"page: {options['out']}", file=sys.stderr)
    return OK


def _serve(options: dict[str, Any]) -> int:
    settings = ServeSettings(**options, **secrets_of_environment())
    verbs.serve(settings, say=lambda where: print(f"serving on {where} (Ctrl-C stops)", flush=True))
    return OK


def _export(options: dict[str, Any]) -> int:
    print(f"{options['to']}: {verbs.export(**options, progress=True)}")
    return OK


_VERBS: dict[str, Callable[[dict[str, Any]], int]] = {
    "demo": _demo,
    "import": _import,
    "check": _check,
    "merge": _merge,
    "init": _init,
    "train": _train,
    "evaluate": _evaluate,
    "describe": _describe,
    "calibrate": _calibrate,
    "similar": _similar,
    "serve": _serve,
    "export": _export,
}


def _quiet_libraries() -> None:
    """Nothing is fetched, nothing is asked of a hub, and progress bars are ours alone."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


if __name__ == "__main__":
    sys.exit(main())
