"""What is kept of a photo: its pixels, under a name of our own, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image

from hazardscribe.errors import InputError
from hazardscribe.pairs.photo import PhotoLimits
from hazardscribe.serving.schemas import NewFinding
from hazardscribe.serving.store import photos as photos_module
from hazardscribe.serving.store.errors import PhotoRefusedError, StoreUnavailableError
from hazardscribe.serving.store.photos import BOUND, THUMB, PhotoFolder, pack
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
    with pytest.raises(PhotoRefusedError) as caught:
        store.confirm(NewFinding(text="甲"), [picture()], "a")
    assert caught.value.cause.reason == "too_large"
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
    assert flushed == [folder.folder, folder.path(name).parent]  # and the files by write_whole


def test_strays_are_swept_and_what_is_being_confirmed_is_not(tmp_path, picture):
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    record, _ = store.confirm(NewFinding(text="甲"), [picture()], "a")
    [stray] = store.folder.add([pack(picture())])
    draft = store.folder.path(stray).with_name(f".{stray}.jpg.partial")
    draft.write_bytes(b"half")
    export = store.folder.work_folder()
    (export / "big.zip").write_bytes(b"x")
    assert store.sweep() == 0  # they are young
    store.close()
    old = time.time() - 7200
    for path in [*store.folder.folder.glob("??/*"), export]:
        os.utime(path, (old, old))
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    left = {path.name for path in store.folder.folder.glob("??/*")}
    assert left == {f"{record.photos[0]}{end}" for end in (".jpg", ".thumb.jpg")}
    assert not export.exists()
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
