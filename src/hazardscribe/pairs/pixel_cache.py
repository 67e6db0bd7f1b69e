"""Decoded photos in one file, so that an epoch costs no decoding.

Unpacking phone photos of 12 megapixels costs ten to a hundred times what the GPU does with them.
The cache decodes each photo once, within a bound, and reads it from a file that all worker
processes share through the page cache. The file is read rather than mapped: mapped pages count as
the process's own memory, which would seem to grow until it held every photo.

On disk, for bound B and loader version V: `pixels-bB-vV.bin`, the pixels of one photo after
another, and `pixels-bB-vV.json`, the index. The pixel file only grows; the index is the truth
about how much of it is good. A build writes pixels, fsyncs them, writes the index beside the old
one, fsyncs and renames it: killed at any moment, it leaves the last good index, and what lies
beyond that index is overwritten by the next build. A lock keeps two builds in one folder apart,
so that several ranks may call `build` at once: the first decodes, the others find it done.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Sequence
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.files import flush, locked, write_whole
from hazardscribe.pairs.photo import LOADER_VERSION, load_photo
from hazardscribe.pairs.photo_file import file_status
from hazardscribe.threads import mapped

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

_FORMAT = 1
_COMMIT_BYTES = 2 * 1024**3  # a killed build loses at most this much decoding
_ESTIMATE_AFTER = 64  # photos, before the disk is judged too small

# Index entry: [bytes of the photo file, its mtime in ns, offset, height, width], or
# [bytes, mtime, reason, message] for a photo that cannot be decoded.
_Entry = list[Any]


class PixelCache:
    """Read access to the decoded pixels of the photos it was built for.

    Can be pickled and used in worker processes: each opens the file for itself.

    Attributes:
        folder: where the files lie.
        bound: longest side of a cached photo in pixels.
        failed: the photos of this build that could not be decoded, by absolute path.
        decoded: how many photos this build had to decode; the others were found in the cache.
    """

    def __init__(self, folder: Path, bound: int) -> None:
        """An empty view; use `build`."""
        self.folder = folder
        self.bound = bound
        self.failed: dict[str, PhotoError] = {}
        self.decoded = 0
        self._places: dict[str, tuple[int, int, int]] = {}
        self._file: FileIO | None = None

    @classmethod
    def build(
        cls,
        photos: Sequence[Path | str],
        folder: Path | str,
        *,
        bound: int,
        workers: int = 0,
        progress: bool = False,
    ) -> PixelCache:
        """Decode what is not in the folder yet and open it for reading.

        A photo is known again by absolute path, size and modification time; the same path is
        stored once. The order of `photos` decides the order on disk, so that equal builds write
        equal bytes.

        Args:
            photos: photo files.
            folder: where the cache lies; made if it does not exist.
            bound: longest side in pixels, see `load_photo`.
            workers: decoding threads (Pillow releases the GIL); 0 takes one per core.
            progress: show a progress bar.

        Raises:
            InputError: the folder cannot be written or the disk is too small.
        """
        if bound < 1 or workers < 0:
            raise ValueError(f"bound must be positive and workers not negative: {bound}, {workers}")
        cache = cls(Path(folder).absolute(), bound)
        wanted = list(dict.fromkeys(_key(photo) for photo in photos))
        try:
            cache.folder.mkdir(parents=True, exist_ok=True)
            with locked(cache.folder / f"{cache._stem}.lock", unless_read_only=True):
                cache._fill(wanted, workers or os.cpu_count() or 1, progress)
        except OSError as error:
            raise InputError(
                f"{cache.folder}: the pixel cache cannot be written here "
                f"({error.strerror or error}); choose another folder"
            ) from error
        return cache

    def __contains__(self, photo: object) -> bool:
        return isinstance(photo, str | Path) and _key(photo) in self._places

    def __len__(self) -> int:
        return len(self._places)

    def pixels(self, photo: Path | str) -> np.ndarray:
        """Pixels of one photo, equal to `np.asarray(load_photo(photo, bound=bound))`.

        Returns:
            uint8 array (H, W, 3), read-only.

        Raises:
            PhotoError: the photo could not be decoded.
            InputError: the photo was not among those the cache was built for, or the file has
                become shorter since.
        """
        key = _key(photo)
        place = self._places.get(key)
        if place is None:
            if key in self.failed:
                raise self.failed[key]
            raise InputError(
                f"{photo}: is not in the pixel cache {self.folder}; build the cache with it"
            )
        offset, height, width = place
        import numpy as np

        if self._file is None:
            self._file = self._data_path.open("rb", buffering=0)
        flat = _read_at(self._file, offset, 3 * height * width)
        if len(flat) < 3 * height * width:
            raise InputError(
                f"{self._data_path}: ends before the pixels of {photo}; remove it, it is made anew"
            )
        return np.frombuffer(flat, dtype=np.uint8).reshape(height, width, 3)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_file": None}
        state["failed"] = {key: (e.reason, str(e)) for key, e in self.failed.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.failed = {key: PhotoError(*what) for key, what in state["failed"].items()}

    @property
    def _stem(self) -> str:
        return f"pixels-b{self.bound}-v{LOADER_VERSION}"

    @property
    def _data_path(self) -> Path:
        return self.folder / f"{self._stem}.bin"

    @property
    def _index_path(self) -> Path:
        return self.folder / f"{self._stem}.json"

    def _fill(self, wanted: list[str], workers: int, progress: bool) -> None:
        """Bring the files up to date with the wanted photos and take over their places."""
        end, entries = self._read_index()
        status = {key: file_status(key) for key in wanted}
        # What is not there is tried, too: load_photo says what is wrong, each time anew.
        missing = [
            key for key in wanted if status[key][0] < 0 or entries.get(key, [])[:2] != status[key]
        ]
        if missing:
            self._decode(missing, status, end, entries, workers, progress)
        for key in wanted:
            entry = entries[key]
            if isinstance(entry[2], str):
                self.failed[key] = PhotoError(entry[2], entry[3])
            else:
                self._places[key] = (entry[2], entry[3], entry[4])

    def _read_index(self) -> tuple[int, dict[str, _Entry]]:
        """Committed length of the pixel file and its entries; nothing when they do not agree."""
        try:
            index = json.loads(self._index_path.read_text(encoding="utf-8"))
            end, entries = int(index["bytes"]), dict(index["photos"])
            good = index["format"] == _FORMAT and self._data_path.stat().st_size >= end
        except FileNotFoundError:
            return 0, {}
        except (OSError, ValueError, KeyError, TypeError):
            good = False
        if not good:
            log.warning("%s: unusable pixel cache index, decoding anew", self._index_path)
            return 0, {}
        return end, entries

    def _decode(
        self,
        missing: list[str],
        status: dict[str, list[int]],
        end: int,
        entries: dict[str, _Entry],
        workers: int,
        progress: bool,
    ) -> None:
        import numpy as np
        from tqdm import tqdm

        start, committed, done = end, end, 0
        if end == 0:
            # A new file, not a shortened one: another process may be reading the old one.
            self._index_path.unlink(missing_ok=True)
            self._data_path.unlink(missing_ok=True)
        with self._data_path.open("r+b" if end else "w+b", buffering=0) as data:
            data.truncate(end)
            data.seek(end)
            try:
                load = partial(_load, bound=self.bound)
                bar = tqdm(
                    zip(missing, mapped(load, missing, workers, 4 * workers), strict=True),
                    total=len(missing),
                    desc="decoding",
                    unit="photo",
                    disable=not progress,
                )
                for key, result in bar:
                    done += 1
                    if isinstance(result, PhotoError):
                        entries[key] = [*status[key], result.reason, str(result)]
                        continue
                    pixels = np.ascontiguousarray(result, dtype=np.uint8)
                    _write_all(data, pixels.reshape(-1).data)
                    entries[key] = [*status[key], end, pixels.shape[0], pixels.shape[1]]
                    end += pixels.nbytes
                    if done == _ESTIMATE_AFTER:
                        self._check_disk(start, end, done, len(missing))
                    if end - committed >= _COMMIT_BYTES:
                        self._commit(data, end, entries)
                        committed = end
                self._commit(data, end, entries)
                committed = end
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                per_photo = (end - start) / max(1, done - 1) or 3 * self.bound**2
                raise self._disk_full(int(per_photo * (len(missing) - done + 1))) from error
            finally:
                if committed < end:
                    _give_back(data, committed)
        self.decoded = len(missing)

    def _check_disk(self, start: int, end: int, done: int, total: int) -> None:
        """Stop early where the first photos show that the rest will not fit."""
        needed = (end - start) * (total - done) // done
        if needed > shutil.disk_usage(self.folder).free:
            raise self._disk_full(needed)

    def _disk_full(self, needed: int) -> InputError:
        return InputError(
            f"{self.folder}: the disk is full; the pixel cache needs about {max(1, needed):,} "
            f"bytes more ({needed / 2**30:.1f} GiB): free that space, name a folder on another "
            "disk, or choose a smaller bound"
        )

    def _commit(self, data: FileIO, end: int, entries: dict[str, _Entry]) -> None:
        """Make the pixels up to `end` and the entries good, at once or not at all."""
        os.fsync(data.fileno())
        # What could not be opened, though it is there, is tried again: the fault may pass.
        kept = {key: one for key, one in entries.items() if one[0] >= 0 and one[2] != "missing"}
        index = {"format": _FORMAT, "bytes": end, "photos": kept}
        write_whole(self._index_path, partial(_write_index, index=index))
        flush(self.folder)


def _key(photo: Path | str) -> str:
    return os.path.abspath(photo)  # noqa: PTH100 (called once per sample; Path is slow)


def _load(key: str, bound: int) -> np.ndarray | PhotoError:
    import numpy as np

    try:
        return np.asarray(load_photo(key, bound=bound))
    except PhotoError as error:
        return error


def _read_at(data: FileIO, offset: int, size: int) -> bytes:
    """Fewer bytes than asked for where the file ends before."""
    if hasattr(os, "pread"):  # processes that a fork made share the file's position
        return os.pread(data.fileno(), size, offset)
    data.seek(offset)
    return data.read(size)


def _write_all(data: FileIO, block: memoryview) -> None:
    """Unbuffered, so that a full disk shows here and not when the file is closed."""
    while block:
        block = block[data.write(block) :]


def _write_index(path: Path, index: dict[str, Any]) -> None:
    """Piece by piece: the text of a million photos' entries need not be in memory."""
    with path.open("w", encoding="utf-8") as stream:
        json.dump(index, stream, ensure_ascii=True, separators=(",", ":"))


def _give_back(data: FileIO, committed: int) -> None:
    """Free the space of pixels that no index names; failing to is harmless."""
    try:
        data.truncate(committed)
    except OSError:
        log.debug("could not shorten the pixel file", exc_info=True)
