"""The photo loader: the same pixels everywhere, and no file that can hurt."""

import contextlib
import hashlib
import io
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.photo import (
    PhotoLimits,
    load_photo,
    photo_digest,
    photo_header,
    photo_size,
    photo_suffix,
)


def photo_like(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth structure with a little grain, as cameras give it."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(2, height // 40), max(2, width // 40), 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 3, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(smooth) + grain, 0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG written by hand, so that its bytes do not depend on the library under test."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def refused(source: Path | bytes, **options: object) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        load_photo(source, **options)  # type: ignore[arg-type]
    return caught.value


def sha256(image: Image.Image) -> str:
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = Image.new("RGB", (64, 32), (0, 0, 255))
    upright.paste((255, 0, 0), (0, 0, 32, 16))  # red in the upper left
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encode(stored, kind, exif=exif)
    for bound, size in ((None, (64, 32)), (32, (32, 16))):
        image = load_photo(file, bound=bound)
        assert image.size == size
        red, _, blue = image.getpixel((size[0] // 8, size[1] // 8))  # type: ignore[misc]
        assert red > 200
        assert blue < 60
        assert image.getpixel((size[0] - 4, size[1] - 4))[2] > 200  # type: ignore[index]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_photo() -> None:
    file = encode(photo_like(64, 48), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\xff\xff")
    assert load_photo(file).size == (64, 48)


class TestTransparency:
    """What lies under full transparency is white, whatever colour was stored there."""

    def half_clear(self) -> Image.Image:
        image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
        image.paste((200, 0, 0, 255), (0, 0, 16, 32))
        return image

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_rgba(self, kind: str) -> None:
        options = {"lossless": True} if kind == "WEBP" else {}
        image = load_photo(encode(self.half_clear(), kind, **options))
        assert image.getpixel((2, 2)) == (200, 0, 0)
        assert image.getpixel((30, 2)) == (255, 255, 255)

    def test_half_transparent_is_mixed(self) -> None:
        file = encode(Image.new("RGBA", (32, 32), (0, 0, 0, 128)), "PNG")
        assert load_photo(file).getpixel((5, 5)) == (127, 127, 127)

    def test_no_dark_edge_when_scaled(self) -> None:
        image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
        image.paste((255, 255, 255, 255), (0, 0, 30, 64))
        assert np.asarray(load_photo(encode(image, "PNG"), bound=16)).min() == 255

    def test_grey_with_alpha(self) -> None:
        image = load_photo(encode(Image.new("LA", (32, 32), (10, 0)), "PNG"))
        assert image.getpixel((0, 0)) == (255, 255, 255)

    def test_palette_with_one_clear_colour(self) -> None:
        image = Image.new("P", (32, 32), 0)
        image.putpalette([0, 0, 0, 0, 200, 0])
        image.paste(1, (0, 0, 16, 32))
        for kind in ("PNG", "GIF"):
            loaded = load_photo(encode(image, kind, transparency=0))
            assert loaded.getpixel((2, 2)) == (0, 200, 0)
            assert loaded.getpixel((30, 2)) == (255, 255, 255)

    def test_palette_with_alpha_table(self) -> None:
        image = Image.new("P", (32, 32), 1)
        image.putpalette([0, 0, 0, 0, 200, 0])
        file = encode(image, "PNG", transparency=bytes([0, 0]))
        assert load_photo(file).getpixel((2, 2)) == (255, 255, 255)

    def test_clear_colour_of_rgb_and_grey(self) -> None:
        rgb = encode(Image.new("RGB", (32, 32), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
        grey = encode(Image.new("L", (32, 32), 7), "PNG", transparency=7)
        assert load_photo(rgb).getpixel((0, 0)) == (255, 255, 255)
        assert load_photo(grey).getpixel((0, 0)) == (255, 255, 255)


class TestModes:
    def test_palette_grey_and_bilevel(self) -> None:
        picture = photo_like(64, 48)
        assert load_photo(encode(picture.quantize(64), "PNG")).mode == "RGB"
        assert load_photo(encode(picture.convert("L"), "PNG"), bound=32).size == (32, 24)
        bilevel = load_photo(encode(Image.new("1", (32, 32), 1), "PNG"))
        assert bilevel.getpixel((0, 0)) == (255, 255, 255)

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_cmyk(self, kind: str) -> None:
        red = load_photo(encode(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), kind))
        assert np.abs(np.asarray(red, dtype=int)[0, 0] - (255, 0, 0)).max() <= 4

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_16_bit_grey(self, kind: str) -> None:
        values = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
        image = np.asarray(load_photo(encode(Image.fromarray(values), kind)))
        assert image.shape == (32, 32, 3)
        assert (image[..., 0] == values >> 8).all()

    def test_16_bit_colour(self) -> None:
        rows = b"".join(b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0) * 32 for _ in range(32))
        image = load_photo(png(32, 32, rows, depth=16))
        assert image.getpixel((3, 3)) == (255, 128, 0)

    def test_float_and_32_bit(self) -> None:
        unit = Image.fromarray(np.full((32, 32), 0.5, dtype=np.float32))
        deep = Image.fromarray(np.full((32, 32), 32768, dtype=np.int32))
        assert load_photo(encode(unit, "TIFF")).getpixel((0, 0)) == (128, 128, 128)
        assert load_photo(encode(deep, "TIFF")).getpixel((0, 0)) == (128, 128, 128)

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
    def test_first_frame(self, kind: str) -> None:
        frames = [Image.new("RGB", (32, 32), c) for c in ((250, 0, 0), (0, 0, 250))]
        file = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        red, _, blue = load_photo(file).getpixel((9, 9))  # type: ignore[misc]
        assert red > 240
        assert blue < 10

    def test_multi_picture_jpeg(self) -> None:
        first, second = photo_like(400, 300, 1), photo_like(400, 300, 2)
        file = encode(first, "MPO", save_all=True, append_images=[second])
        loaded = np.asarray(load_photo(file), dtype=int)
        assert np.abs(loaded - np.asarray(first, dtype=int)).mean() < 8
        assert load_photo(file, bound=100).size == (100, 75)

    def test_bmp(self) -> None:
        picture = photo_like(40, 30)
        assert (np.asarray(load_photo(encode(picture, "BMP"))) == np.asarray(picture)).all()


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


class TestRefused:
    def test_bomb_is_refused_before_it_is_unpacked(self, tmp_path: Path) -> None:
        side = 13_000  # 507 MB of pixels
        packer = zlib.compressobj(9)
        data = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(64)) + packer.flush()
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = b"\x89PNG\r\n\x1a\n"
        for kind, content in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")):
            crc = struct.pack(">I", zlib.crc32(kind + content))
            body += struct.pack(">I", len(content)) + kind + content + crc
        path = tmp_path / "bomb.png"
        path.write_bytes(body)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            error = refused(path)
        assert time.perf_counter() - start < 0.5
        assert error.reason == "too_large"
        assert "13000 x 13000" in str(error)
        assert "bomb.png" in str(error)

    def test_nothing_of_pillows_own_alarm_shows(self) -> None:
        """Between Pillow's warning (89 million) and our limit, and above Pillow's error."""
        before = Image.MAX_IMAGE_PIXELS
        rows = zlib.compress(b"")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert refused(png(9_700, 9_700, rows)).reason == "damaged"
            assert refused(png(60_000, 60_000, rows)).reason == "too_large"
        assert before == Image.MAX_IMAGE_PIXELS

    @pytest.mark.parametrize("chunk", ["VP8X", "VP8L", "VP8 "])
    def test_huge_webp_canvas(self, chunk: str) -> None:
        body = {
            "VP8X": struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\x00\xff\x3f\x00",
            "VP8L": struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", 0x3FFF | 0x3FFF << 14),
            "VP8 ": struct.pack("<I", 10)
            + b"\0\0\0\x9d\x01\x2a"
            + struct.pack("<HH", 16383, 16383),
        }[chunk]
        file = b"RIFF" + struct.pack("<I", 64) + b"WEBP" + chunk.encode() + body + bytes(40)
        assert refused(file).reason == "too_large"

    def test_strip_icon_and_heavy_file(self) -> None:
        assert refused(encode(Image.new("RGB", (2100, 100)), "PNG")).reason == "aspect"
        assert load_photo(encode(Image.new("RGB", (2000, 100)), "PNG")).size == (2000, 100)
        assert refused(encode(Image.new("RGB", (64, 15)), "PNG")).reason == "too_small"
        heavy = refused(encode(photo_like(64, 64), "PNG"), limits=PhotoLimits(max_bytes=1000))
        assert heavy.reason == "too_large"
        few = refused(encode(photo_like(64, 64), "PNG"), limits=PhotoLimits(max_pixels=4000))
        assert few.reason == "too_large"

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
    @pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
    def test_cut_off(self, kind: str, share: float, tmp_path: Path) -> None:
        file = encode(photo_like(300, 200), kind)
        path = tmp_path / "cut.jpg"
        path.write_bytes(file[: int(share * len(file))])
        for bound in (None, 64):
            error = refused(path, bound=bound)
            assert error.reason == "damaged"
            assert "cut.jpg" in str(error)

    def test_progressive_jpeg_cut_off(self) -> None:
        file = encode(photo_like(300, 200), "JPEG", progressive=True)
        assert refused(file[: len(file) * 2 // 3]).reason == "damaged"

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
    def test_noise_in_the_file_never_escapes(self, kind: str) -> None:
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

    def test_text_named_jpg(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.write_text("这不是照片", encoding="utf-8")
        error = refused(path)
        assert error.reason == "not_an_image"
        assert "photo.jpg" in str(error)

    @pytest.mark.parametrize(
        ("head", "word"),
        [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
            (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
            (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
            (b"%PDF-1.7\n", "PDF"),
            (b"PK\x03\x04" + bytes(30), "Office"),
            (b"8BPS\0\1", "Photoshop"),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"<?xml version='1.0'?><svg xmlns=''>", "SVG"),
            (b"\0\0\1\0\1\0", "icon"),
        ],
    )
    def test_foreign_format_is_named(self, head: bytes, word: str) -> None:
        error = refused(head + bytes(64))
        assert error.reason == "format"
        assert word in str(error)
        assert "JPEG" in str(error)

    def test_only_the_listed_formats_are_tried(self) -> None:
        for kind in ("PPM", "ICO", "TGA", "PCX", "SGI"):
            assert refused(encode(photo_like(64, 64), kind)).reason in ("not_an_image", "format")

    def test_missing_folder_empty_and_pipe(self, tmp_path: Path) -> None:
        assert refused(tmp_path / "nowhere.jpg").reason == "missing"
        assert refused(tmp_path / "file.jpg" / "x").reason == "missing"
        assert refused(tmp_path / ("x" * 300 + ".jpg")).reason == "missing"
        assert refused(Path(str(tmp_path) + "/a\0b.jpg")).reason == "missing"
        assert refused(tmp_path).reason == "not_an_image"
        (tmp_path / "empty.jpg").touch()
        assert refused(tmp_path / "empty.jpg").reason == "damaged"
        assert refused(b"").reason == "damaged"
        if sys.platform != "win32":
            assert refused(Path("/dev/null")).reason == "not_an_image"

    def test_is_an_input_error(self) -> None:
        assert isinstance(refused(b"text"), InputError)


def test_a_jpeg_of_thousands_of_passes_is_refused() -> None:
    """Of 600 KB such a file can keep a decoder busy for a minute."""
    buffer = io.BytesIO()
    Image.new("L", (64, 48), 128).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    assert load_photo(content[:-2] + last * 20 + content[-2:]).size == (64, 48)
    with pytest.raises(PhotoError, match="passes") as raised:
        load_photo(content[:-2] + last * 2000 + content[-2:], bound=32)
    assert raised.value.reason == "damaged"


def test_a_film_behind_a_jpeg_does_not_count() -> None:
    """As phones append it for a moving photo; its bytes may look like anything."""
    content = encode(photo_like(640, 480), "JPEG")
    assert load_photo(content + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 2000).size == (640, 480)


def test_digest_and_suffix(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(photo_like(64, 64), "PNG"))
    content = path.read_bytes()
    assert photo_digest(path) == photo_digest(str(path)) == hashlib.sha256(content).hexdigest()
    assert photo_digest(content) == photo_digest(path)
    assert photo_suffix(content) == ".png"
    assert photo_suffix(b"nothing") == ".bin"
    with pytest.raises(PhotoError) as caught:
        photo_digest(tmp_path / "no.png")
    assert caught.value.reason == "missing"


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
    assert [photo_header(one).orientation for one in (plain, png, behind)] == [1, 6, 6]
    assert [photo_size(one) for one in (plain, png, behind)] == [(64, 48), (48, 64), (48, 64)]
