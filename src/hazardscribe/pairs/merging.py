"""Several sets of pairs as one, so that a model can learn from corrections beside its old pairs.

What is already decided stays decided: every row keeps its split, but a photo of a later source that
shows nearly the same as one of an earlier source goes to the split of that one. Else a photo would
be trained on whose twin measures, or has measured before. Where the earlier twins lie in several
splits, validation comes before dev and dev before train.

A row that two sources hold (the same row of the same ledger, with the same photo) is taken from the
later one: people may have gone on in it. A photo with a text that an earlier source holds already
is taken once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.folder import SAFE, read_safe
from hazardscribe.pairs.near_duplicates import Look, group_looks, look_at
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.records import PROVENANCE, SPLITS, Pairs, Rejected
from hazardscribe.pairs.shards import ShardedPairs
from hazardscribe.pairs.splits import Linked
from hazardscribe.pairs.write import copy_photo, write_columns, write_pairs

if TYPE_CHECKING:
    import pandas as pd

_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What became of the pairs of one source.

    Attributes:
        name: as the user named it. pairs: that it holds.
        equal: left out, since an earlier source holds the same photo with the same text.
        replaced: pairs of earlier sources that gave way to a later state of their row.
        moved: to another split, that of an earlier photo which shows nearly the same.
    """

    name: str
    pairs: int
    equal: int
    replaced: int
    moved: int


@dataclass(frozen=True, slots=True)
class Merged:
    """The new pairs, and what became of each source's, in the order in which they were named."""

    pairs: Pairs
    safe: pd.DataFrame
    sources: tuple[Source, ...]

    def lines(self) -> Iterator[str]:
        """The account for a terminal."""
        for one in self.sources:
            yield (
                f"{one.name}: {one.pairs} pairs; {one.equal} that an earlier folder holds already, "
                f"{one.replaced} in place of their earlier state, {one.moved} moved to the split "
                "of an earlier photo that shows nearly the same"
            )
        counts = self.pairs.frame["split"].value_counts()
        splits = ", ".join(f"{split} {counts[split]}" for split in SPLITS if split in counts)
        after = f"; photos after rectification: {len(self.safe)}" if len(self.safe) else ""
        yield f"together: {len(self.pairs)} pairs ({splits}){after}"

    def write(self, folder: Path) -> Path:
        """Write the folder of pairs, with the photos after rectification.

        Raises:
            InputError: it cannot be written. PhotoError: a photo has gone.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if len(self.safe):
                places = [copy_photo(Path(photo), folder) for photo in self.safe["photo"]]
                safe = self.safe.assign(photo=places).drop_duplicates("photo")
                names = [str(name) for name in safe]
                write_columns(folder / SAFE, names, [safe[name].tolist() for name in names])
        except OSError as error:
            raise InputError(
                f"--out {folder}: the pairs cannot be written here ({error.strerror or error}). "
                "Free space, or name another folder."
            ) from error
        return write_pairs(self.pairs, folder)  # its table comes last: the folder is whole then


def merge_pairs(sources: Sequence[Path], progress: bool = False) -> Merged:
    """Read several sets of pairs and put them together, the older first.

    Args:
        sources: anything that `read_pairs` reads, but no shards.
        progress: show a progress bar while photos are checked.

    Raises:
        InputError: a source cannot be read, is named twice, or there is one alone.
    """
    if len(sources) < 2:
        raise InputError("name at least two folders of pairs, the older one first.")
    if len({source.resolve() for source in sources}) < len(sources):
        raise InputError("a folder of pairs is named twice; name each once.")
    for source in sources:  # before the photos of the others are looked at
        if not source.exists():
            raise InputError(f"{source}: no such file or folder; check the name.")
    marks: dict[str, tuple[str, Look | None]] = {}

    def examine(photo: str) -> Look | str:
        digest, look = photo_digest(photo), look_at(photo)
        marks[photo] = digest, look
        return look or digest

    parts = [read_pairs(source, examine=examine, progress=progress) for source in sources]
    for source, part in zip(sources, parts, strict=True):
        if isinstance(part, ShardedPairs):
            raise InputError(
                f"{source}: holds several Parquet files, which are read without seeing all photos. "
                "Put the new pairs beside them as one more file instead, with their splits."
            )
    digests = {photo: digest for photo, (digest, _) in marks.items()}
    merger = _Merger(digests, _groups(parts, marks))
    account = [merger.add(str(source), part) for source, part in zip(sources, parts, strict=True)]
    return merger.result(parts, account)


def _groups(parts: Sequence[Pairs], marks: Mapping[str, tuple[str, Look | None]]) -> dict[str, int]:
    """Group number of each photo: together are those of a row, and those that show nearly the same.

    Args:
        marks: digest and look of each photo.
    """
    numbers = group_looks([look for _, look in marks.values()])
    # A picture too even to tell is alike to its own copies alone.
    alike: dict[str, int | str] = {
        photo: digest if look is None else number
        for (photo, (digest, look)), number in zip(marks.items(), numbers, strict=True)
    }
    linked = Linked()
    for place, part in enumerate(parts):
        for photo, *row in part.frame[["photo", *PROVENANCE]].itertuples(index=False, name=None):
            linked.link(alike[photo], (place, *row))
    return dict(zip(alike, linked.numbers(alike.values()), strict=True))


class _Merger:
    """The rows taken so far.

    Args:
        digests: of the bytes of each photo. groups: see `_groups`.
    """

    def __init__(self, digests: Mapping[str, str], groups: Mapping[str, int]) -> None:
        self._digests, self._groups = digests, groups
        self._split: dict[int, str] = {}  # by group
        self._frames: list[pd.DataFrame] = []
        self._left: list[Rejected] = []

    def add(self, name: str, pairs: Pairs) -> Source:
        """Take a source's rows, which are later than all before."""
        frame = pairs.frame.reset_index(drop=True)
        rows, texts = self._keys(frame), self._texts(frame)
        replaced = self._give_way(set(rows), name)
        held = {text for former in self._frames for text in self._texts(former)}
        equal = [text in held for text in texts]
        for at, same in enumerate(equal):
            if same:
                self._leave(frame.iloc[at], "equal", "an earlier source holds this photo and text")
        frame = frame[[not same for same in equal]].reset_index(drop=True)
        splits = self._settle(frame)
        moved = int((frame["split"] != splits).sum())
        self._frames.append(frame.assign(split=splits))
        return Source(name, len(pairs.frame), sum(equal), replaced, moved)

    def result(self, parts: Sequence[Pairs], account: Sequence[Source]) -> Merged:
        """All that was taken."""
        import pandas as pd

        frame = pd.concat(self._frames, ignore_index=True).fillna("")
        safe = [self._safe(part, taken) for part, taken in zip(parts, self._frames, strict=True)]
        rejected = [one for part in parts for one in part.rejected] + self._left
        pairs = Pairs(frame, folder=parts[0].folder, rejected=rejected)
        return Merged(pairs, pd.concat(safe, ignore_index=True).fillna(""), tuple(account))

    def _keys(self, frame: pd.DataFrame) -> list[_Key]:
        """What is the same in two states of a row: where it stood first, and its photo's bytes."""
        rows = frame[["photo", *PROVENANCE]].itertuples(index=False, name=None)
        return [(self._digests[photo], *row) for photo, *row in rows]

    def _texts(self, frame: pd.DataFrame) -> list[_Key]:
        pairs = zip(frame["photo"], frame["description"], strict=True)
        return [(self._digests[photo], text) for photo, text in pairs]

    def _give_way(self, rows: set[_Key], later: str) -> int:
        """Leave out the earlier states of rows; how many pairs these were."""
        count = 0
        for at, former in enumerate(self._frames):
            gone = [row in rows for row in self._keys(former)]
            for place, given in enumerate(gone):
                if given:
                    self._leave(former.iloc[place], "replaced", f"{later} holds its later state")
            self._frames[at] = former[[not given for given in gone]].reset_index(drop=True)
            count += sum(gone)
        return count

    def _leave(self, row: pd.Series, reason: str, detail: str) -> None:
        number = int(row["row_number"])
        photo = Path(row["photo"]).name
        self._left.append(Rejected(row["row_file"], number, photo, reason, detail))

    def _settle(self, frame: pd.DataFrame) -> list[str]:
        """The split of each row: that of earlier photos that show nearly the same, else its own."""
        groups = [self._groups[photo] for photo in frame["photo"]]
        splits = [
            self._split.get(group, own) for group, own in zip(groups, frame["split"], strict=True)
        ]
        for group, split in zip(groups, splits, strict=True):
            self._split[group] = max(self._split.get(group, split), split, key=SPLITS.index)
        return splits

    def _safe(self, pairs: Pairs, taken: pd.DataFrame) -> pd.DataFrame:
        """The photos after rectification, each in the split of its row."""
        safe = read_safe(pairs.folder)
        of_row = dict(
            zip(
                taken[list(PROVENANCE)].itertuples(index=False, name=None),
                taken["split"],
                strict=True,
            )
        )
        rows = safe[list(PROVENANCE)].itertuples(index=False, name=None)
        splits = [of_row.get(row, own) for row, own in zip(rows, safe["split"], strict=True)]
        return safe.assign(split=splits)
