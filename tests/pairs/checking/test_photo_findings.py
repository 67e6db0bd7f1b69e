"""What is said of photos: each finding on a photo that deserves it, and on none that does not."""

from __future__ import annotations

import numpy as np
import pytest
from made_photos import picture
from PIL import Image, ImageEnhance, ImageFilter

from hazardscribe.pairs.checking import photo_findings
from hazardscribe.pairs.checking.measure import measure_photo


def dim(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.15)


def flood(image: Image.Image) -> Image.Image:
    return image.point(lambda value: 255 - (255 - value) // 6)


def blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(3))


def night(image: Image.Image) -> Image.Image:
    """Black but for a lit tenth, as under a lamp."""
    dark = np.asarray(dim(image)).copy()
    dark[40:80, 40:130] = np.asarray(image)[40:80, 40:130]
    return Image.fromarray(dark)


def cut_out(image: Image.Image) -> Image.Image:
    """On white, as stock photos are."""
    white = np.full_like(np.asarray(image), 255)
    white[30:130, 60:120] = np.asarray(image)[30:130, 60:120]
    return Image.fromarray(white)


def before_blur(image: Image.Image) -> Image.Image:
    """A sharp object before a background out of focus."""
    soft = np.asarray(blur(image)).copy()
    soft[30:130, 60:130] = np.asarray(image)[30:130, 60:130]
    return Image.fromarray(soft)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda image: image.resize((150, 120)), "photo_tiny"),
        (lambda image: image.resize((160, 128)), None),
        (lambda image: Image.new("RGB", image.size, (120, 125, 118)), "photo_even"),
        (lambda image: Image.new("RGB", image.size), "photo_even"),
        (dim, "photo_dark"),
        (night, None),
        (flood, "photo_bright"),
        (cut_out, None),
        (blur, "photo_blurred"),
        (before_blur, None),
        (lambda image: image.filter(ImageFilter.GaussianBlur(0.4)), None),
    ],
)
def test_a_photo_that_shows_little(change, code, lines, find, tmp_path):
    change(picture(3)).save(tmp_path / lines[3]["photo"])
    found = find(lines)
    assert list(found) == ([code] if code else [])
    if code:
        only = found[code]
        assert (only.count, only.severity) == (1, "warning")
        assert [place.row for place in only.places] == [4]
        assert only.examples[0].photos == (str(tmp_path / lines[3]["photo"]),)


def test_a_large_photo_is_judged_at_the_size_that_a_model_sees(tmp_path):
    sharp = picture(1, (1600, 1200))
    sharp.save(tmp_path / "sharp.jpg", quality=92)
    sharp.filter(ImageFilter.GaussianBlur(2)).save(tmp_path / "soft.jpg", quality=92)
    sharp.filter(ImageFilter.GaussianBlur(24)).save(tmp_path / "blurred.jpg", quality=92)
    measured = {p.stem: measure_photo(p) for p in sorted(tmp_path.iterdir())}
    assert (measured["sharp"].width, measured["sharp"].height) == (1600, 1200)
    least = photo_findings.MIN_SHARPNESS
    assert measured["blurred"].sharpness < least < measured["soft"].sharpness


def test_size_is_that_of_the_upright_photo(tmp_path):
    image = picture(1)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    found = measure_photo(tmp_path / "turned.jpg")
    assert (found.width, found.height) == (160, 200)
    assert found.size == (tmp_path / "turned.jpg").stat().st_size


@pytest.mark.parametrize("name", ["HUGE_PIXELS", "HUGE_BYTES"])
def test_huge_photos(name, lines, find, tmp_path, monkeypatch):
    largest = max((tmp_path / line["photo"]).stat().st_size for line in lines)
    monkeypatch.setattr(photo_findings, name, 200 * 160 if name == "HUGE_PIXELS" else largest)
    assert find(lines) == {}
    picture(5, (400, 320)).save(tmp_path / lines[5]["photo"])
    (found,) = find(lines).values()
    assert (found.code, found.severity, found.count) == ("photo_huge", "hint", 1)


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("整改后_12.png", True),
        ("12-after.png", True),
        ("整改前_12.png", False),
        ("IMG_afternoon.png", False),
        ("rafter.png", False),
    ],
)
def test_photos_after_rectification(name, after, lines, find, tmp_path):
    (tmp_path / lines[2]["photo"]).rename(tmp_path / "photos" / name)
    lines[2]["photo"] = f"photos/{name}"
    assert list(find(lines)) == (["photo_after"] if after else [])


def test_a_column_of_photos_after_rectification(lines, find):
    rows = [{"整改后照片": line["photo"], **line} for line in lines]
    for row in rows:
        del row["photo"]
    assert find(rows, columns={"photo": "整改后照片"})["photo_after"].count == 12
