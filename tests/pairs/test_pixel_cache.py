"""The pixel cache: the loader's pixels, once decoded, and never a half-written cache."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs import pixel_cache
from hazardscribe.pairs.photo import LOADER_VERSION, load_photo
from hazardscribe.pairs.pixel_cache import PixelCache

BOUND = 48


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "照片"
    folder.mkdir()
    paths = []
    for index in range(12):
        rng = np.random.default_rng(index)
        pixels = rng.integers(0, 256, (40 + 7 * index, 90 - 5 * index, 3), dtype=np.uint8)
        paths.append(folder / f"{index:02}.{'png' if index % 2 else 'jpg'}")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def agrees(cache: PixelCache, photos: list[Path]) -> None:
    for photo in photos:
        expected = np.asarray(load_photo(photo, bound=cache.bound))
        np.testing.assert_array_equal(cache.pixels(photo), expected)


def test_pixels_equal_the_loaders(photos: list[Path], tmp_path: Path) -> None:
    cache = PixelCache.build(photos, tmp_path / "cache", bound=BOUND)
    agrees(cache, photos)
    assert len(cache) == cache.decoded == 12
    assert cache.failed == {}
    pixels = cache.pixels(str(photos[0]))
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    assert not pixels.flags.writeable
    assert not pixels.flags.owndata


def test_reopening_decodes_only_what_is_new(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    PixelCache.build(photos[:8], folder, bound=BOUND)
    decoded: list[str] = []
    load = pixel_cache._load
    monkeypatch.setattr(
        pixel_cache, "_load", lambda key, bound: decoded.append(Path(key).name) or load(key, bound)
    )
    cache = PixelCache.build(photos, folder, bound=BOUND)
    assert sorted(decoded) == [photo.name for photo in photos[8:]]
    assert cache.decoded == 4
    agrees(cache, photos)
    assert PixelCache.build(photos[3:5], folder, bound=BOUND).decoded == 0


def test_changed_photo_and_other_bound_are_decoded_again(
    photos: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    old = PixelCache.build(photos, folder, bound=BOUND)
    before = old.pixels(photos[1]).copy()
    Image.new("RGB", (30, 20), (1, 2, 3)).save(photos[1])
    new = PixelCache.build(photos, folder, bound=BOUND)
    assert new.decoded == 1
    agrees(new, photos)
    np.testing.assert_array_equal(old.pixels(photos[1]), before)  # its map stays what it was
    smaller = PixelCache.build(photos, folder, bound=32)
    assert smaller.decoded == 12
    agrees(smaller, photos)
    agrees(new, photos)


def test_same_path_is_stored_once(photos: list[Path], tmp_path: Path) -> None:
    twice = [photos[0], str(photos[0]), photos[0].parent / "x" / ".." / photos[0].name]
    cache = PixelCache.build(twice, tmp_path / "cache", bound=BOUND)
    assert len(cache) == cache.decoded == 1
    assert all(photo in cache for photo in twice)
    assert photos[1] not in cache
    assert None not in cache


def test_failures_are_kept_apart(photos: list[Path], tmp_path: Path) -> None:
    photos[2].write_bytes(photos[2].read_bytes()[:200])
    gone = tmp_path / "gone.jpg"
    for decoded in (13, 1):  # the damaged one is remembered, the missing one is tried again
        cache = PixelCache.build([*photos, gone], tmp_path / "cache", bound=BOUND)
        assert cache.decoded == decoded
        reasons = {path: error.reason for path, error in cache.failed.items()}
        assert reasons == {str(photos[2]): "damaged", str(gone): "missing"}
        assert photos[2] not in cache
        with pytest.raises(PhotoError, match="damaged"):
            cache.pixels(photos[2])
    with pytest.raises(InputError, match="not in the pixel cache"):
        cache.pixels(tmp_path / "never.jpg")
    Image.new("RGB", (30, 20)).save(gone)
    assert gone in PixelCache.build([*photos, gone], tmp_path / "cache", bound=BOUND)


def test_what_could_not_be_opened_is_tried_again(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many_open(photo: str, bound: int) -> None:
        raise PhotoError("missing", f"{photo}: cannot be read (Too many open files)")

    with monkeypatch.context() as fault:
        fault.setattr("hazardscribe.pairs.pixel_cache.load_photo", too_many_open)
        assert len(PixelCache.build(photos, tmp_path / "cache", bound=BOUND, workers=1)) == 0
    assert len(PixelCache.build(photos, tmp_path / "cache", bound=BOUND)) == len(photos)


def test_nothing_to_cache(tmp_path: Path) -> None:
    cache = PixelCache.build([], tmp_path / "cache", bound=BOUND)
    assert len(cache) == 0
    only_bad = PixelCache.build([tmp_path / "no.jpg"], tmp_path / "cache", bound=BOUND)
    assert list(only_bad.failed) == [str(tmp_path / "no.jpg")]


def test_equal_builds_write_equal_bytes(photos: list[Path], tmp_path: Path) -> None:
    contents = []
    for name, workers in (("a", 1), ("b", 3)):
        PixelCache.build(photos, tmp_path / name, bound=BOUND, workers=workers)
        files = sorted((tmp_path / name).iterdir())
        contents.append([(file.name, file.read_bytes()) for file in files])
    assert contents[0] == contents[1]


def _sum(cache: PixelCache, photo: Path) -> int:
    return int(cache.pixels(photo).sum())


def test_workers_open_the_file_for_themselves(photos: list[Path], tmp_path: Path) -> None:
    photos[3].write_bytes(b"no photo")
    cache = PixelCache.build(photos, tmp_path / "cache", bound=BOUND)
    cache.pixels(photos[0])
    state = pickle.dumps(cache)
    assert len(state) < 10_000  # the pixels do not travel
    copy = pickle.loads(state)
    agrees(copy, photos[:3])
    assert copy.failed[str(photos[3])].reason == "not_an_image"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_sum, cache, photos[1]).result() == _sum(cache, photos[1])


def test_pixels_are_read_without_pread_too(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    cache = PixelCache.build(photos, tmp_path / "cache", bound=BOUND)
    monkeypatch.delattr(os, "pread", raising=False)
    agrees(cache, photos)


def test_a_file_that_became_shorter_is_no_black_photo(photos: list[Path], tmp_path: Path) -> None:
    cache = PixelCache.build(photos, tmp_path / "cache", bound=BOUND)
    (file,) = (tmp_path / "cache").glob("*.bin")
    os.truncate(file, file.stat().st_size - 1)
    agrees(cache, photos[:-1])
    with pytest.raises(InputError, match=r"\.bin: ends before the pixels of .*; remove it"):
        cache.pixels(photos[-1])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux")
def test_pixels_are_not_mapped(photos: list[Path], tmp_path: Path) -> None:
    """Mapped pages count as memory: the process would seem to grow by each photo it has seen."""
    cache = PixelCache.build(photos, tmp_path / "cache", bound=BOUND)
    pixels = cache.pixels(photos[0])
    assert str(tmp_path / "cache") not in Path("/proc/self/maps").read_text()
    assert not pixels.flags.writeable


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_killed_build_leaves_nothing_that_is_read_as_good(
    photos: list[Path], tmp_path: Path
) -> None:
    """Killed once without any index and once above an earlier good one."""
    folder = tmp_path / "cache"
    code = """
import sys, time
from hazardscribe.pairs import pixel_cache
pixel_cache._COMMIT_BYTES = int(sys.argv[2])
load = pixel_cache._load
def slow(key, bound):
    if key.endswith(sys.argv[3]):
        print("waiting", flush=True)
        time.sleep(60)
    return load(key, bound)
pixel_cache._load = slow
pixel_cache.PixelCache.build(sys.argv[4:], sys.argv[1], bound=48, workers=1)
"""
    for commit, stop in ((2**40, "06.jpg"), (1, "09.png")):
        command = [sys.executable, "-c", code, str(folder), str(commit), stop, *map(str, photos)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        data = folder / f"pixels-b{BOUND}-v{LOADER_VERSION}.bin"
        deadline = time.monotonic() + 5
        while data.stat().st_size == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert data.stat().st_size > 0
        index = data.with_suffix(".json")
        if commit > 1:
            assert not index.exists()
        else:
            kept = json.loads(index.read_text())
            assert 0 < len(kept["photos"]) < 12
    cache = PixelCache.build(photos, folder, bound=BOUND)
    assert 0 < cache.decoded < 12
    agrees(cache, photos)


@pytest.mark.parametrize("harm", ["no data", "short data", "bad index", "old format"])
def test_files_that_do_not_agree_are_made_anew(
    photos: list[Path], tmp_path: Path, harm: str
) -> None:
    folder = tmp_path / "cache"
    PixelCache.build(photos, folder, bound=BOUND)
    data, index = (
        folder / f"pixels-b{BOUND}-v{LOADER_VERSION}.bin",
        folder / f"pixels-b{BOUND}-v{LOADER_VERSION}.json",
    )
    if harm == "no data":
        data.unlink()
    elif harm == "short data":
        os.truncate(data, data.stat().st_size - 1)
    elif harm == "bad index":
        index.write_text(index.read_text()[:-20])
    else:
        index.write_text(json.dumps(json.loads(index.read_text()) | {"format": 0}))
    cache = PixelCache.build(photos, folder, bound=BOUND)
    assert cache.decoded == 12
    agrees(cache, photos)


def test_full_disk_while_writing(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    PixelCache.build(photos[:4], folder, bound=BOUND)
    data = folder / f"pixels-b{BOUND}-v{LOADER_VERSION}.bin"
    size = data.stat().st_size
    write_all = pixel_cache._write_all
    left = [3]

    def fill_up(stream: object, block: memoryview) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(stream, block)  # type: ignore[arg-type]

    monkeypatch.setattr(pixel_cache, "_write_all", fill_up)
    with pytest.raises(InputError, match=r"disk is full.*needs about [\d,]+ bytes") as caught:
        PixelCache.build(photos, folder, bound=BOUND)
    assert str(folder) in str(caught.value)
    assert data.stat().st_size == size  # the space is given back, the good part stays
    monkeypatch.undo()
    cache = PixelCache.build(photos, folder, bound=BOUND)
    assert cache.decoded == 8
    agrees(cache, photos)


def test_small_disk_is_noticed_early(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 10_000})
    monkeypatch.setattr(pixel_cache, "_ESTIMATE_AFTER", 3)
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match="disk is full"):
        PixelCache.build(photos, tmp_path / "cache", bound=BOUND)


def test_folder_that_cannot_be_made(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="choose another folder"):
        PixelCache.build(photos, tmp_path / "file" / "cache", bound=BOUND)
    with pytest.raises(ValueError, match="bound"):
        PixelCache.build(photos, tmp_path / "cache", bound=0)


def test_complete_cache_may_be_read_only(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PixelCache.build(photos, tmp_path / "cache", bound=BOUND)
    open_path = Path.open

    def read_only(path: Path, mode: str = "r", *args: object, **options: object) -> object:
        if mode[0] != "r" or "+" in mode:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_path(path, mode, *args, **options)  # type: ignore[call-overload]

    def acquire(lock: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", read_only)
    monkeypatch.setattr("hazardscribe.files.FileLock.acquire", acquire)
    agrees(PixelCache.build(photos, tmp_path / "cache", bound=BOUND), photos)


def _build(photos: list[Path], folder: Path) -> tuple[int, int]:
    cache = PixelCache.build(photos, folder, bound=BOUND)
    return cache.decoded, sum(_sum(cache, photo) for photo in photos)


@pytest.mark.skipif(os.name != "posix", reason="uses fork")
def test_ranks_may_build_at_once(photos: list[Path], tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        done = [pool.submit(_build, photos, tmp_path / "cache") for _ in range(3)]
        results = [future.result() for future in done]
    assert sorted(decoded for decoded, _ in results) == [0, 0, 12]
    assert len({total for _, total in results}) == 1
