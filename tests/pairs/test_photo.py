"""The photo loader: the same pixels everywhere, and no file that can hurt."""

import contextlib
import io
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from photo_bytes import encode, photo_like, png, refused, sha256
from PIL import Image, ImageFilter

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.photo import load_photo, photo_header


class TestGolden:
    """These pixels are a promise: a change here needs a new LOADER_VERSION."""

    width, height = 100, 60

    @pytest.fixture
    def file(self) -> bytes:
        y, x = np.mgrid[0 : self.height, 0 : self.width]
        pixels = np.stack([x * 5 % 256, y * 7 % 256, (x * y) % 256], axis=-1).astype(np.uint8)
        rows = b"".join(b"\0" + row.tobytes() for row in pixels)
        return png(self.width, self.height, rows)

    def test_full_size(self, file: bytes) -> None:
        image = load_photo(file)
        assert image.size == (100, 60)
        assert sha256(image) == "80c27208816931ff69d00d896eda439904cd72c3310d6964cc5e8f7a2d9e5874"

    def test_bounded(self, file: bytes) -> None:
        image = load_photo(file, bound=40)
        assert image.size == (40, 24)
        assert sha256(image) == "5d1a3b1eabc483eb042c0d71f96448211a5447f49a4b89b485cbfd8dd6877c44"

    def test_within_the_bound_nothing_changes(self, file: bytes) -> None:
        assert sha256(load_photo(file, bound=100)) == sha256(load_photo(file))
        assert load_photo(file, bound=5000).size == (100, 60)


class TestBound:
    @pytest.mark.parametrize("size", [(1000, 750), (1001, 333), (640, 641), (799, 200)])
    @pytest.mark.parametrize("bound", [64, 99, 224, 448])
    def test_reduced_decode_is_close_to_full_decode(
        self, size: tuple[int, int], bound: int
    ) -> None:
        picture = photo_like(*size).filter(ImageFilter.GaussianBlur(1))
        file = encode(picture, "JPEG", quality=90)
        got = load_photo(file, bound=bound)
        full = load_photo(file)
        assert max(got.size) == bound
        reference = full.resize(got.size, Image.Resampling.LANCZOS)
        difference = np.abs(np.asarray(got, dtype=int) - np.asarray(reference, dtype=int))
        assert difference.mean() < 1
        assert np.percentile(difference, 99) <= 4

    def test_reduced_decode_is_used(self) -> None:
        file = encode(photo_like(2400, 1800), "JPEG")
        load_photo(file, bound=64)

        def seconds(bound: int | None) -> float:
            start = time.perf_counter()
            load_photo(file, bound=bound)
            return time.perf_counter() - start

        assert min(seconds(200) for _ in range(3)) < min(seconds(None) for _ in range(3))

    def test_never_upscaled_and_never_empty(self) -> None:
        assert load_photo(encode(photo_like(50, 40), "JPEG"), bound=51).size == (50, 40)
        assert load_photo(encode(photo_like(400, 20), "PNG"), bound=8).size == (8, 1)
        with pytest.raises(ValueError, match="bound"):
            load_photo(encode(photo_like(50, 40), "JPEG"), bound=0)

    def test_path_text_and_bytes_give_the_same(self, tmp_path: Path) -> None:
        path = tmp_path / "隐患 照片.JPG"
        path.write_bytes(encode(photo_like(300, 200), "JPEG"))
        hashes = {
            sha256(load_photo(source, bound=100)) for source in (path, str(path), path.read_bytes())
        }
        assert len(hashes) == 1

    def test_result_outlives_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(encode(photo_like(50, 40), "PNG"))
        image = load_photo(path)
        path.unlink()
        assert type(image) is Image.Image
        assert np.asarray(image).shape == (40, 50, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_cut_off(kind: str, share: float, tmp_path: Path) -> None:
    file = encode(photo_like(300, 200), kind)
    path = tmp_path / "cut.jpg"
    path.write_bytes(file[: int(share * len(file))])
    for bound in (None, 64):
        error = refused(path, bound=bound)
        assert error.reason == "damaged"
        assert "cut.jpg" in str(error)


def test_progressive_jpeg_cut_off() -> None:
    file = encode(photo_like(300, 200), "JPEG", progressive=True)
    assert refused(file[: len(file) * 2 // 3]).reason == "damaged"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_noise_in_the_file_never_escapes(kind: str) -> None:
    """Whatever the bytes, a photo or a PhotoError comes out."""
    file = encode(photo_like(80, 60), kind)
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(60):
            noisy = bytearray(file)
            for place in rng.integers(0, len(file), 8):
                noisy[place] = int(rng.integers(256))
            with contextlib.suppress(PhotoError):
                assert load_photo(bytes(noisy), bound=40).mode == "RGB"


def test_is_an_input_error() -> None:
    assert isinstance(refused(b"text"), InputError)


def test_import_is_cheap() -> None:
    code = (
        "import sys, hazardscribe.pairs.photo, hazardscribe.pairs.read, hazardscribe.pairs.write;"
        "heavy = {'torch', 'transformers', 'pandas', 'datasets', 'numpy', 'pyarrow', 'PIL.Image'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_header_is_read_without_unpacking_the_pixels(monkeypatch):
    from PIL import ImageFile

    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(file, "PNG", exif=exif)
    png = file.getvalue()
    at = png.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(png[at : at + 4], "big")
    plain = png[:at] + png[end:]
    behind = plain[:-12] + png[at:end] + plain[-12:]  # in front of IEND, behind the pixels
    assert load_photo(behind).size == load_photo(png).size == (48, 64)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("unpacked"))
    headers = [photo_header(one) for one in (plain, png, behind)]
    assert [header.orientation for header in headers] == [1, 6, 6]
    assert [header.upright for header in headers] == [(64, 48), (48, 64), (48, 64)]
