"""A photo is known again by its bytes, its picture by its look, and neither is taken twice."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from hazardscribe.pairs.fingerprints import Fingerprints, fingerprints
from hazardscribe.pairs.photo import load_photo


def pixels(photo):
    return np.asarray(load_photo(photo, bound=64))


def test_copies_and_other_sizes_of_a_photo_are_known_and_others_are_not(photos, tmp_path):
    copy = shutil.copyfile(photos[0], tmp_path / "copy.png")
    smaller = tmp_path / "smaller.jpg"
    with Image.open(photos[1]) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(smaller)
    even = tmp_path / "even.png"
    Image.new("RGB", (32, 32), (200, 200, 200)).save(even)
    known = fingerprints([*photos[:2], str(even)], pixels)
    asked = fingerprints([str(copy), str(smaller), photos[2], str(tmp_path / "none.png")], pixels)
    assert asked.are_in(known.digests).tolist() == [True, False, False, False]
    assert asked.are_near(known.looks).tolist() == [True, True, False, False]
    assert known.looks[2] == asked.looks[3] == 0  # alike to nothing, to one another neither
    assert asked.are_near(np.empty(0, dtype=np.uint64)).tolist() == [False] * 4


def test_what_is_kept_is_not_taken_again_unless_the_file_has_changed(photos, tmp_path):
    photo = str(shutil.copyfile(photos[0], tmp_path / "a.png"))
    kept, taken = tmp_path / "kept.json", []

    def counted(name):
        taken.append(name)
        return pixels(name)

    first = fingerprints([photo, photo], counted, kept=kept)
    again = fingerprints([photo], counted, kept=kept)
    assert taken == [photo]
    assert again.digests.tolist() == first.digests[:1].tolist() != [0]
    shutil.copyfile(photos[1], photo)
    os.utime(photo, ns=(1, 1))
    assert fingerprints([photo], counted, kept=kept).looks.tolist() != first.looks[:1].tolist()
    kept.write_text("[]", encoding="utf-8")
    assert len(fingerprints([photo], counted, kept=kept).looks) == 1


@pytest.mark.parametrize("block", [1, 1 << 22])
def test_looks_are_near_within_two_bits(block, monkeypatch):
    monkeypatch.setattr("hazardscribe.pairs.fingerprints._BLOCK", block)
    known = np.array([0x0F1E2D3C4B5A6978, 0xFFFF0000FFFF0000], dtype=np.uint64)
    flips = np.array([0, 1 << 63, 3 << 20, 7 << 20, 5], dtype=np.uint64)
    looks = np.concatenate([known[0] ^ flips, known[1] ^ flips])
    found = Fingerprints(looks, looks).are_near(known)
    assert found.tolist() == [True, True, True, False, True] * 2
    # 0 stands for no look, and is near nothing, not even a look of one bit.
    nought = np.zeros(1, dtype=np.uint64)
    assert not Fingerprints(nought, nought).are_near(np.array([1], dtype=np.uint64)).any()


def test_a_photo_that_could_not_be_read_is_tried_again(photos, tmp_path):
    photo, kept = tmp_path / "a.png", tmp_path / "kept.json"
    shutil.copyfile(photos[0], photo)
    content = photo.read_bytes()
    for written, known in ((bytes(len(content)), False), (content, True)):
        photo.write_bytes(written)
        os.utime(photo, ns=(1, 1))  # as before, by its size and time
        assert bool(fingerprints([str(photo)], pixels, kept=kept).looks.all()) is known
