"""Photos and descriptions that no finding fits."""

from __future__ import annotations

import numpy as np
from PIL import Image

OBJECTS = (
    "配电箱",
    "灭火器",
    "气瓶",
    "脚手架",
    "临边护栏",
    "电缆",
    "安全出口",
    "洞口",
    "梯子",
    "货架",
)
DEFECTS = ("未上锁", "已超期", "未固定", "缺少扣件", "被拆除", "破损裸露", "被杂物堵塞", "未覆盖")


def picture(seed: int, size: tuple[int, int] = (200, 160)) -> Image.Image:
    """A photo with edges, shades and grain that depends on the seed alone."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(30, 226, (9, 11, 3), dtype=np.uint8))
    blocks = np.asarray(small.resize(size, Image.Resampling.NEAREST), dtype=np.int16)
    grain = rng.normal(0, 8, blocks.shape)
    return Image.fromarray(np.clip(blocks + grain, 0, 255).astype(np.uint8))


def text(number: int) -> str:
    """One of 80 different good descriptions."""
    return f"{OBJECTS[number % 10]}{DEFECTS[number // 10 % 8]}，存在安全隐患"
