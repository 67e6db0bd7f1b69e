"""What is kept of a photo: its pixels, under a name of our own, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import re
import time
from pathlib import Path

import pytest
from PIL import Image

from hazardscribe.errors import InputError
from hazardscribe.pairs.photo_limits import PhotoLimits
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.schemas import NewFinding
from hazardscribe.serving.store import photos as photos_module
from hazardscribe.serving.store.errors import (
    NotFoundError,
    StoreUnavailableError,
)
from hazardscribe.serving.store.photos import BOUND, MARK, OPEN, THUMB, PhotoFolder, pack
from hazardscribe.serving.store.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> PhotoFolder:
    return PhotoFolder(tmp_path / "photos")


def test_only_pixels_are_kept(picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SECRET-CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (39.0, 54.0, 15.0)
    uploaded = picture(size=(96, 64), exif=exif, comment=b"SECRET-COMMENT")
    assert b"SECRET" in uploaded
    packed = pack(uploaded)
    for content in (packed.full, packed.thumb):
        assert b"SECRET" not in content
        assert b"Exif" not in content
        image = Image.open(io.BytesIO(content))
        assert image.format == "JPEG"
        assert image.size == (64, 96)  # upright
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_all_kinds_become_bounded_jpeg(kind, picture):
    packed = pack(picture(size=(3000, 1500), kind=kind))
    assert Image.open(io.BytesIO(packed.full)).size == (BOUND, BOUND // 2)
    assert Image.open(io.BytesIO(packed.thumb)).size == (THUMB, THUMB // 2)


def test_a_photo_beyond_the_limits_is_refused(tmp_path, picture):
    limits = PhotoLimits(max_pixels=1000)
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos", limits)
    with pytest.raises(ApiError) as caught:
        store.confirm(NewFinding(text="甲"), [picture()], "a")
    assert caught.value.code == "too_large"
    store.close()


def test_names_are_our_own(folder, picture):
    first, second = folder.add([pack(picture()), pack(picture())])
    assert first != second  # deleting one record's photo leaves another's
    assert folder.path(first).is_file()
    for name in ("../x", "a", "", "A" * 32, f"{first}/..", f"{first}\n"):
        with pytest.raises(ValueError, match="not an id"):
            folder.path(name)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_full_disk_leaves_nothing(at, folder, picture, monkeypatch):
    written = []
    former = photos_module.write_whole

    def write_whole(path, write):
        written.append(path)
        if len(written) == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        former(path, write)

    monkeypatch.setattr(photos_module, "write_whole", write_whole)
    with pytest.raises(StoreUnavailableError, match="No space left") as caught:
        folder.add([pack(picture()), pack(picture(1))])
    assert caught.value.full
    assert not list(folder.folder.glob("??/*"))


def test_photos_are_on_the_disk_before_they_are_named(folder, picture, monkeypatch):
    flushed = []
    former = photos_module.flush
    monkeypatch.setattr(photos_module, "flush", lambda path: (flushed.append(path), former(path)))
    [name] = folder.add([pack(picture())])
    # And the files by write_whole.
    assert flushed == [folder.folder / OPEN, folder.folder, folder.path(name).parent]


def age(folder: Path, seconds: float = 7200) -> None:
    """Let all that lies in the folder be older."""
    old = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (old, old))


def test_what_a_crash_left_is_swept_and_what_is_being_confirmed_is_not(tmp_path, picture):
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    record, _ = store.confirm(NewFinding(text="甲"), [picture()], "a")
    [stray] = store.folder.add([pack(picture())])
    draft = store.folder.path(stray).with_name(f".{stray}.jpg.partial")
    draft.write_bytes(b"half")
    export = store.folder.work_folder()
    (export / "big.zip").write_bytes(b"x")
    store.folder.mark_open(record.photos)  # as a crash before `settle` leaves it
    assert store.sweep() == 0  # they are young
    store.close()
    age(store.folder.folder)
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    left = {path.name for path in store.folder.folder.glob("??/*")}
    assert left == {f"{record.photos[0]}{end}" for end in (".jpg", ".thumb.jpg")}
    assert not export.exists()
    assert not list((store.folder.folder / OPEN).iterdir())
    store.close()


def test_a_restored_older_database_costs_no_photo(tmp_path, picture, caplog):
    url, photos = f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos"
    store = Store.open(url, photos)
    first, _ = store.confirm(NewFinding(text="甲"), [picture()], "a")
    store.close()
    backup = (tmp_path / "l").read_bytes()
    store = Store.open(url, photos)
    later, _ = store.confirm(NewFinding(text="乙"), [picture(1), picture(2)], "a")
    store.close()
    newest = (tmp_path / "l").read_bytes()
    age(photos)

    (tmp_path / "l").write_bytes(backup)
    store = Store.open(url, photos)
    assert store.find().total == 1
    assert "2 photos belong to no record" in caplog.text
    assert "are kept" in caplog.text
    store.sweep(grace=0)
    assert all(store.folder.path(one).is_file() for one in (*first.photos, *later.photos))
    store.close()
    caplog.clear()

    (tmp_path / "l").write_bytes(newest)  # the right one was found
    store = Store.open(url, photos)
    assert all(store.photo(one).is_file() for one in store.get(later.id).photos)
    assert not caplog.text
    store.close()


def test_a_deletion_that_was_cut_off_is_finished_later(tmp_path, picture, monkeypatch):
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    record, _ = store.confirm(NewFinding(text="甲"), [picture()], "a")
    path = store.photo(record.photos[0])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        store.delete(record.id, "b")
    assert path.is_file()
    assert store.sweep() == 0
    age(store.folder.folder)
    assert store.sweep() == 1
    assert not path.exists()
    store.close()


def test_records_whose_photos_are_missing_are_told(tmp_path, picture, caplog):
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    record, _ = store.confirm(NewFinding(text="甲"), [picture(), picture(1)], "a")
    store.photo(record.photos[0]).unlink()
    store.sweep()
    assert "the files of 1 photos in the ledger are missing" in caplog.text
    assert record.photos[0] in caplog.text
    store.close()


def test_an_empty_folder_is_not_taken_for_the_ledger_s_photos(tmp_path, picture):
    """As the folder is where a disk should have been mounted."""
    url, photos, away = f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos", tmp_path / "away"
    store = Store.open(url, photos)
    record, _ = store.confirm(NewFinding(text="甲"), [picture()], "a")
    store.close()
    photos.rename(away)
    with pytest.raises(InputError, match=r"folder of the 1 photos.*Is its disk mounted") as caught:
        Store.open(url, photos)
    (photos / MARK).write_text(re.search(r"write (\w+) into", str(caught.value))[1])
    store = Store.open(url, photos)  # without them, as a person has decided
    with pytest.raises(NotFoundError):
        store.photo(record.photos[0])
    store.close()


def test_trouble_names_the_folder(folder, picture, monkeypatch):
    folder.folder.joinpath(OPEN).rmdir()
    with pytest.raises(StoreUnavailableError, match=rf"{OPEN}.*: No such file"):
        folder.add([pack(picture())])


def test_a_store_that_can_only_be_read_is_not_ready(tmp_path, picture, monkeypatch):
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    store.check()
    assert not list((store.folder.folder / OPEN).iterdir())
    assert store.places == {"photos": tmp_path / "photos", "ledger": tmp_path}

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", refuse)
        with pytest.raises(StoreUnavailableError) as caught:
            store.check()
        assert caught.value.full
    store.check()
    store.close()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made or written"):
        PhotoFolder(tmp_path / "file" / "photos")


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize(("mode", "told"), [(0o700, False), (0o750, True), (0o704, True)])
def test_a_folder_that_others_may_read_is_told_of(mode, told, tmp_path, caplog):
    tmp_path.joinpath("photos").mkdir()
    tmp_path.joinpath("photos").chmod(mode)
    PhotoFolder(tmp_path / "photos")
    assert ("others on this machine may read the photos" in caplog.text) is told
