"""Upright RGB pixels of every kind of picture: turned, transparent, grey, deep, moving."""

import struct

import numpy as np
import pytest
from photo_bytes import encode, photo_like, png
from PIL import Image

from hazardscribe.pairs.photo import load_photo


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
