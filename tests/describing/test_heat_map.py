"""Evidence as pictures."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from hazardscribe.describing.describer import Describer
from hazardscribe.describing.evidence import Evidence
from hazardscribe.describing.heat_map import SIDE, heat_maps, picture


def opened(url: str) -> np.ndarray:
    assert url.startswith("data:image/jpeg;base64,")
    content = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float)


def test_each_phrase_has_its_picture(start, photos, tmp_path):
    describer = Describer(start)
    made = heat_maps(describer, photos[0], "一名工人未戴安全帽，气瓶未固定")
    assert [phrase for phrase, _ in made] == ["一名工人未戴安全帽", "气瓶未固定"]
    assert all(opened(url).ndim == 3 for _, url in made)
    assert heat_maps(describer, photos[0], "") == []
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    assert heat_maps(describer, str(tmp_path / "bad.jpg"), "未戴安全帽") == []


def test_warm_colours_lie_where_the_support_is():
    shares = np.zeros((4, 4))
    shares[:, 3] = 1.0
    photo = np.full((300, 400, 3), (40, 90, 140), dtype=np.uint8)
    plain = opened(picture(photo, Evidence("x", 0, 1, np.zeros((4, 4)))))
    warm = opened(picture(photo, Evidence("x", 0, 1, shares)))
    assert max(warm.shape) == SIDE
    assert warm.shape[0] < warm.shape[1]  # as the photo
    moved = np.abs(warm - plain).mean((0, 2))
    assert moved[: SIDE // 2].max() < 6  # JPEG alone
    assert moved[-10:].min() > 40
    red, _, blue = (warm - plain)[:, -10:].mean((0, 1))
    assert red > 40 > blue
