"""`import_ledger`: from a ledger to a folder of pairs, with both sums proved.

    imported = import_ledger("台账.xlsx", out="pairs")
    print(imported.summary())

The folder is written whole or not at all, and the same ledger gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.files import new_folder, places_of
from hazardscribe.names import readable
from hazardscribe.pairs.columns import LEDGER_ROLES, check_roles
from hazardscribe.pairs.ledger.account import Account
from hazardscribe.pairs.ledger.dividing import Item, divide_items, parse_split
from hazardscribe.pairs.ledger.drafts import Draft, Options, SheetNote
from hazardscribe.pairs.ledger.folder import Tables, check_target, write_folder
from hazardscribe.pairs.ledger.gathering import Gatherer, no_header
from hazardscribe.pairs.ledger.keeping import Kept, Refused, Wanted, keep_photos
from hazardscribe.pairs.ledger.opening import TEXT, open_book, open_source
from hazardscribe.pairs.ledger.own_books import own_book
from hazardscribe.pairs.ledger.result import Imported, Row
from hazardscribe.pairs.ledger.sources import key_name
from hazardscribe.pairs.ledger.unseeable import load_unseeable
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.splits import read_split


def import_ledger(
    ledger: Path,
    *,
    out: Path | None = None,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
    sheets: list[str] | None = None,
    split: str = "random",
    split_numbered: bool = False,
    keep_unseeable: bool = False,
    unseeable: Path | None = None,
    dry_run: bool = False,
    seed: int = 0,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
) -> Imported:
    """Turn a ledger into a folder of pairs; every row and picture is accounted for.

    Args:
        ledger: .xlsx, .xlsm, .csv, .tsv or .txt; a .zip or a folder of ledgers and photos; a
            .json export of Label Studio, of which corrected texts are taken.
        out: folder to write; an earlier import of the same ledger is replaced.
        photos: folder or zip of the photos that the ledger names.
        columns: name of the column for a role that is not found by its usual names, as in
            `--columns.description 备注`; an empty name for no column. Roles: photo, description,
            split, after_photo, category, level, place, date, site, project, inspector, measure,
            responsible, due, status.
        sheets: sheets to read, even hidden ones: `--sheets NAME`, once for each; default: all
            visible ones.
        split: `random`, or `group=COLUMN` to keep equal values of a column or role together.
        split_numbered: if a cell numbers several hazards, make a pair of each.
        keep_unseeable: keep rows that no photo can show (missing permits, records, training).
        unseeable: YAML list of such rows to use instead of the program's own.
        dry_run: read and count everything, but write nothing.
        seed: random seed for the division into splits.
        progress: show a progress bar.
        say: takes the summary, also where the import then fails for want of pairs.

    Returns:
        An `Imported`: folder, account, sheets, splits, warnings.

    Raises:
        InputError: the ledger cannot be read, columns are not found, no pair is left, or `out`
            cannot be written.
    """
    chosen = dict(columns or {})
    check_roles(chosen, LEDGER_ROLES)
    source = Path(ledger).expanduser()
    group = parse_split(split)
    if out is None and not dry_run:
        raise InputError(
            "no folder to write is named; give --out FOLDER, or --dry-run to write nothing, in "
            "Python out= or dry_run=True"
        )
    options = Options(
        chosen,
        (sheets,) if isinstance(sheets, str) else tuple(sheets or ()),
        split_numbered,
        None if keep_unseeable else load_unseeable(None if unseeable is None else Path(unseeable)),
        group,
    )
    asked: dict[str, object] = {
        "columns": chosen,
        "sheets": list(options.sheets),
        "split": split,
        "split_numbered": split_numbered,
        "keep_unseeable": keep_unseeable,
        "unseeable": None if unseeable is None else readable(Path(unseeable).name),
        "seed": seed,
    }
    target = None if dry_run or out is None else Path(out).expanduser()
    with nullcontext() if target is None else new_folder(target) as folder:
        if target is not None:
            # Only now: until then, another import could have put its own there.
            check_target(target, readable(source.resolve().name))
        # Also in a dry run: an earlier import there is none of the photos given.
        skip = () if out is None else places_of(Path(out).expanduser())
        imported = _read(source, photos, options, asked, folder, skip, progress)
        _divide(imported, seed)
        tables = Tables(imported)
        if folder is not None:
            write_folder(folder, imported, tables)
        if say is not None:
            say(imported.summary())
        if not imported.pairs and not dry_run:
            raise _nothing_left(imported)
    imported.folder = target
    return imported


def _read(
    source: Path,
    photos: Path | None,
    options: Options,
    asked: dict[str, object],
    folder: Path | None,
    skip: Sequence[Path],
    progress: bool,
) -> Imported:
    """Everything up to the split: the ledgers, their photos, the account."""
    from tqdm import tqdm

    def keep(wanted: Iterator[Wanted]) -> Iterable[tuple[str, Kept | Refused]]:
        kept = keep_photos(wanted, folder)
        return tqdm(kept, desc="photos", unit="photo", disable=not progress)

    account = Account()
    gatherer = Gatherer(account, options)
    digests: dict[str, str] = {}
    root = None if photos is None else Path(photos).expanduser()
    with open_source(source, root, skip) as (ledgers, left_aside):
        for ledger in ledgers:
            digests[ledger.label] = photo_digest(ledger.path)
            with open_book(ledger.path, options.columns) as book:
                gatherer.gather(
                    ledger.label,
                    book,
                    ledger.photos,
                    keep,
                    text_file=ledger.path.suffix.lower() in TEXT,
                    own=own_book(book),
                )
        warnings = [*left_aside, *gatherer.warnings]
        unnamed = account.unnamed(key for one in ledgers for key in one.photos.all_keys())
        if unnamed:
            shown = ", ".join(key_name(key) for key in unnamed[:3])
            warnings.append(say("unnamed_photos", count=len(unnamed), names=shown))
    missing = gatherer.missing_sheets()
    if missing:
        raise InputError(
            f"sheets: {source.name} has no sheet {', '.join(map(repr, missing))}; it has "
            f"{', '.join(repr(note.sheet) for note in gatherer.sheets) or 'none'}"
        )
    if not any(note.columns for note in gatherer.sheets):
        raise no_header(str(source), gatherer.seen, options.columns.get("description", ""))
    if options.group and not gatherer.grouped:
        raise InputError(
            f"split: there is no column {options.group!r} to group by. Roles and columns: "
            + ", ".join(_groups(gatherer.sheets))
        )
    rows = _settle(gatherer, account, options, warnings)
    account.settle({label: at for at, label in enumerate(digests)})
    return Imported(
        readable(source.resolve().name),
        account,
        gatherer.sheets,
        rows,
        warnings,
        digests,
        asked,
        numbered=gatherer.numbered,
        settled=gatherer.settled,
    )


def _groups(sheets: Sequence[SheetNote]) -> list[str]:
    """What rows can be grouped by: roles, each with its columns as the ledger calls them."""
    roles: dict[str, dict[str, None]] = {}
    for sheet in sheets:
        for role, names in sheet.columns.items():
            roles.setdefault(role, {}).update(dict.fromkeys(names))
    others = dict.fromkeys(name for sheet in sheets for name in sheet.others)
    return [*(f"{role} ({' + '.join(names)})" for role, names in roles.items()), *others]


def _settle(
    gatherer: Gatherer, account: Account, options: Options, warnings: list[str]
) -> list[Row]:
    """What became of each draft and each of its pictures."""
    given = any(draft.split for draft in gatherer.drafts)
    if given and options.group:
        warnings.append(say("split_unused"))
        given = False
    rows: list[Row] = []
    repaired: list[list[tuple[str, Kept]]] = []
    for draft in gatherer.drafts:
        if given and not read_split(draft.split):
            detail = say("bad_split", text=draft.split) if draft.split else say("no_split")
            _reject(account, draft, "bad_split", detail)
            continue
        draft.split = read_split(draft.split) or "" if given else ""
        photos = _photos(gatherer, account, draft, draft.photos)
        if photos:
            account.rows_imported += 1
        elif draft.photos:
            refused = gatherer.kept[draft.photos[0][0]]
            if isinstance(refused, tuple):  # it is: no photo could be used
                account.reject(draft.spot, *refused)
        for key, _ in photos:
            account.use(key)
        rows.append(Row(draft, [kept for _, kept in photos], []))
        repaired.append(_photos(gatherer, account, draft, draft.after))
    shown = {photo.digest for row in rows for photo in row.photos}
    for row, safe in zip(rows, repaired, strict=True):
        names = dict(row.draft.after)
        for key, kept in safe:
            if kept.digest in shown:
                detail = say("also_hazard_photo")
                account.leave(key, row.draft.spot, names[key], "also_hazard_photo", detail)
            else:
                account.use(key)
                row.safe.append(kept)
    return [row for row in rows if row.photos or row.safe]


def _photos(
    gatherer: Gatherer, account: Account, draft: Draft, named: Sequence[tuple[str, str]]
) -> list[tuple[str, Kept]]:
    """The pictures that can be used, each once."""
    result: dict[str, tuple[str, Kept]] = {}
    for key, name in named:
        kept = gatherer.kept[key]
        if isinstance(kept, tuple):
            account.leave(key, draft.spot, name, *kept)
        elif kept.digest in result:
            account.leave(key, draft.spot, name, "duplicate", say("duplicate"))
        else:
            result[kept.digest] = key, kept
    return list(result.values())


def _reject(account: Account, draft: Draft, reason: str, detail: str) -> None:
    if draft.photos:  # a row with safe photos alone is rejected already
        account.reject(draft.spot, reason, detail)
    said = say("rejected_row", reason=reason, detail=detail)
    for key, name in (*draft.photos, *draft.after):
        account.leave(key, draft.spot, name, "rejected_row", said)


def _divide(imported: Imported, seed: int) -> None:
    items = [
        Item(
            "\n".join(sorted(photo.digest for photo in (row.photos or row.safe))),
            tuple(row.photos),
            tuple(row.safe),
            row.draft.group,
            row.draft.value("category"),
            row.draft.split,
        )
        for row in imported.rows
    ]
    splits, warnings = divide_items(items, seed=seed, settled=imported.settled)
    imported.warnings += warnings
    for row, split in zip(imported.rows, splits, strict=True):
        row.split = split


def _nothing_left(imported: Imported) -> InputError:
    account = imported.account
    reasons = ", ".join(f"{reason} {n}" for reason, n in account.reasons("row").items())
    rows = [one for one in account.left if one.kind == "row"]
    first = "; ".join(
        f"{one.file} {one.sheet + ' ' if one.sheet else ''}row {one.line}: {one.detail}"
        for one in rows[:3]
    )
    return InputError(
        f"{imported.source}: none of {account.rows_read} rows gives a pair "
        f"({reasons or 'no rows'}).{' First: ' + first if first else ''}"
    )
