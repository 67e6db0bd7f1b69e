"""The command line: parses, calls the verbs, prints, sets the exit code. Nothing else.

Exit codes: 0 done, 1 findings (`check`), 2 unusable input or arguments, 3 rejects under --strict,
4 training diverged (the loss is no longer a number), 128 + n stopped by signal n (resumable).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hazardscribe import __version__
from hazardscribe.errors import InputError, TrainingDivergedError
from hazardscribe.processes import is_first, processes

OK, FINDINGS, UNUSABLE, REJECTED, DIVERGED = 0, 1, 2, 3, 4

_DESCRIPTION = """\
Learns from your own hazard photos and descriptions to write the description for a new photo.
从本单位的隐患照片和描述中学习，为新照片写出隐患描述。"""


def build_parser() -> Any:
    """The parser of all verbs; loads neither torch nor transformers."""
    from hazardscribe import verbs
    from hazardscribe.arguments import Parser
    from hazardscribe.demo import demo
    from hazardscribe.serving.settings import SECRETS, ServeSettings
    from hazardscribe.training.recipe import Recipe

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
    _safe_console()
    parser = build_parser()
    parsed = parser.parse_args(_flags(sys.argv[1:] if arguments is None else arguments))
    options = vars(parser.instantiate(parsed)[parsed.verb])
    options.pop("config", None)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # Of several processes the first speaks; what goes wrong in another must still be seen.
    logging.getLogger("hazardscribe").setLevel(logging.INFO if is_first() else logging.ERROR)
    _quiet_libraries()
    try:
        with _ending_on_sigterm(parsed.verb):
            return _VERBS[parsed.verb](options)
    except InputError as error:
        print(f"hazardscribe {parsed.verb}: {error}", file=sys.stderr)
        return UNUSABLE
    except TrainingDivergedError as error:
        print(f"hazardscribe {parsed.verb}: {error}", file=sys.stderr)
        return DIVERGED
    except KeyboardInterrupt as interrupt:
        print(f"hazardscribe {parsed.verb}: interrupted", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(interrupt, _Terminated) else signal.SIGINT)
    except BrokenPipeError:  # `hazardscribe describe ... | head`
        _nobody_reads()
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


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as a service manager or `timeout` sends it: what was done so far is kept."""


@contextmanager
def _ending_on_sigterm(verb: str) -> Iterator[None]:
    """Let SIGTERM end a verb as Ctrl-C does; those that train or serve have their own way."""

    def end(number: int, frame: object) -> None:
        raise _Terminated

    if (
        verb in ("train", "serve", "demo")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    former = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _nobody_reads() -> None:
    """What is still printed goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(line: str) -> None:
    """Print; that nobody reads it does not end what is being written."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        _nobody_reads()


def _demo(options: dict[str, Any]) -> int:
    from hazardscribe.demo import demo

    evaluation = demo(**options)
    _print_scores(evaluation)
    print(f"report: {options['out'] / 'report.html'}")
    return OK


def _check(options: dict[str, Any]) -> int:
    from hazardscribe import verbs
    from hazardscribe.pairs.checking.summary import summary_lines

    least = options.pop("fail_on")
    report = verbs.check(**options, progress=True)
    for line in summary_lines(report):
        print(line)
    if options["out"] is not None:
        print(f"report: {options['out']}")
    return FINDINGS if report.failed(least) else OK


def _import(options: dict[str, Any]) -> int:
    from hazardscribe import verbs

    strict = options.pop("strict")
    imported = verbs.import_ledger(**options, progress=sys.stderr.isatty(), say=_say)
    if imported.folder is not None:
        _say(f"pairs: {imported.folder}; report: {imported.folder / 'report.html'}")
    if strict and imported.findings:
        print(f"{imported.findings} rows or pictures were left out (--strict)", file=sys.stderr)
        return REJECTED
    return OK


def _init(options: dict[str, Any]) -> int:
    from hazardscribe import verbs

    print(f"model: {verbs.init(**options)}")
    return OK


def _train(options: dict[str, Any]) -> int:
    from hazardscribe import verbs
    from hazardscribe.training import together
    from hazardscribe.training.recipe import Recipe

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
    from hazardscribe import verbs

    evaluation = verbs.evaluate_model(**options, progress=True)
    _print_scores(evaluation)
    print(f"report: {options['out'] / 'report.html'}")
    return OK


def _describe(options: dict[str, Any]) -> int:
    from hazardscribe import verbs

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
    from hazardscribe import verbs

    calibration = verbs.calibrate(**options, progress=True)
    print_calibration(calibration.summary())
    print(f"model: {options['model']}")
    return OK


def _similar(options: dict[str, Any]) -> int:
    from hazardscribe import verbs

    for case in verbs.similar(**options, progress=sys.stderr.isatty()):
        print(f"{case.photo}\t{' | '.join(case.texts)}\t{case.similarity:.3f}")
    if options["out"] is not None:
        print(f"page: {options['out']}", file=sys.stderr)
    return OK


def _serve(options: dict[str, Any]) -> int:
    from hazardscribe import verbs
    from hazardscribe.serving.settings import ServeSettings, secrets_of_environment

    settings = ServeSettings(**options, **secrets_of_environment())
    verbs.serve(settings, say=lambda where: print(f"serving on {where} (Ctrl-C stops)", flush=True))
    return OK


def print_calibration(summary: dict[str, Any]) -> None:
    """What was fitted on dev, in lines."""
    way = summary["reranking"]
    if way is None:
        print("re-ranking: gains nothing on dev, left out")
    else:
        print(
            f"re-ranking: {way['beams']} candidates, {way['score']} on dev {way['plain']:.3f} -> "
            f"{way['reranked']:.3f} (cross-validated)"
        )
    answered = summary["risk_answered"]
    shown = "-" if answered is None else f"{answered:.1%}"
    print(
        f"doubt: the draft is the answer for {summary['coverage']:.0%} of {summary['dev_photos']} "
        f"dev photos, {shown} of those not acceptable ({summary['risk_of_all']:.1%} of all drafts; "
        f"aimed at {summary['risk_aimed_at']:.0%}"
        f"{'' if summary['risk_reached'] else ', which no confidence reaches'})"
    )


def _export(options: dict[str, Any]) -> int:
    from hazardscribe import verbs

    print(f"{options['to']}: {verbs.export(**options, progress=True)}")
    return OK


_VERBS: dict[str, Callable[[dict[str, Any]], int]] = {
    "demo": _demo,
    "import": _import,
    "check": _check,
    "init": _init,
    "train": _train,
    "evaluate": _evaluate,
    "describe": _describe,
    "calibrate": _calibrate,
    "similar": _similar,
    "serve": _serve,
    "export": _export,
}

_SHOWN = ("hazard_f1", "balanced_accuracy", "false_alarm_rate", "element_f1", "cider_d", "bleu_4")


def _print_scores(evaluation: Any) -> None:
    """The main scores beside the baselines, as a table of fixed columns."""
    names = ["model", *evaluation.baselines]
    columns = [evaluation.metrics, *evaluation.baselines.values()]
    print(f"{'':18}" + "".join(f"{name:>24}" for name in names))
    for metric in _SHOWN:
        cells = [_cell(column[metric]) if column else "-" for column in columns]
        print(f"{metric:18}" + "".join(f"{cell:>24}" for cell in cells))
    trust = evaluation.trust
    if trust is not None:
        print(f"confidence: Brier {_cell(trust.brier_score)}, ECE {_cell(trust.calibration_error)}")
        if trust.coverage.value is not None:
            print(
                f"doubt: answered {_cell(trust.coverage)} of the photos, not acceptable "
                f"{_cell(trust.risk)} of the answers ({_cell(trust.risk_of_all)} if all were)"
            )
    for warning in evaluation.warnings:
        print(f"warning: {warning}")


def _cell(score: Any) -> str:
    if score.value is None:
        return "-"
    if score.low is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


_DASHED = frozenset(("dry_run", "split_numbered", "keep_unseeable"))


def _flags(arguments: list[str]) -> list[str]:
    """`--resume` alone means `--resume true`, as people expect of a switch.

    And `--sheets 3月` names one sheet, again and again if need be; jsonargparse would have a list
    written in brackets, or a plus behind the option. All names go to it as one list in JSON, as it
    reads YAML, in which `#1` is a comment and `- 1` a list.
    """
    switches = {
        *("--resume", "--strict"),
        *("--dry_run", "--split_numbered", "--keep_unseeable"),
        *("--doubt", "--rerank"),
    }
    result: list[str] = []
    sheets: list[str] = []
    named = False
    for i, argument in enumerate(arguments):
        if named:  # the value of --sheets before it
            named = False
            continue
        name, equals, value = argument.partition("=")
        if name.startswith("--") and name[2:].replace("-", "_") in _DASHED:
            name = "--" + name[2:].replace("-", "_")  # as most programs write them
            argument = f"{name}{equals}{value}"
        if argument in ("--no-doubt", "--no-rerank"):
            result += [f"--{argument[5:]}", "false"]
            continue
        if name in ("--sheets", "--sheets+") and (equals or i + 1 < len(arguments)):
            sheets += _sheet_names(value if equals else arguments[i + 1])
            named = not equals
            continue
        result.append(argument)
        following = arguments[i + 1].lower() if i + 1 < len(arguments) else ""
        if argument in switches and following not in ("true", "false", "yes", "no"):
            result.append("true")
    return [*result, "--sheets", json.dumps(sheets, ensure_ascii=False)] if sheets else result


def _sheet_names(given: str) -> list[str]:
    """One name, or those of a list in brackets."""
    from hazardscribe.arguments import load_value

    try:
        listed = load_value(given) if given.startswith("[") else None
    except ValueError:
        listed = None
    return list(map(str, listed)) if isinstance(listed, list) else [given]


def _safe_console() -> None:
    """Characters that a console cannot show are escaped instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _quiet_libraries() -> None:
    """Nothing is fetched, nothing is asked of a hub, and progress bars are ours alone."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


if __name__ == "__main__":
    sys.exit(main())
