"""What light and a phone's camera do to a scene: no two photos of one thing are alike."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter


def shoot(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A photo of the drawn scene: uneven and tinted light, contrast, blur and sensor noise.

    Takes and returns RGB pictures of the same size.
    """
    blur = rng.uniform(0.0, 0.9)
    if blur > 0.3:
        scene = scene.filter(ImageFilter.GaussianBlur(blur))
    pixels: NDArray[np.float32] = np.asarray(scene, dtype=np.float32)
    height, width = pixels.shape[:2]

    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.28)
    across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(angle) * strength)
    down = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(np.sin(angle) * strength)
    light = np.float32(rng.uniform(0.68, 1.2)) * (1 + across[None, :] + down[:, None])

    warmth = rng.uniform(-0.1, 0.1)
    tint = np.array([1 + warmth, 1.0, 1 - warmth], dtype=np.float32)
    contrast = np.float32(rng.uniform(0.8, 1.12))
    pixels = (pixels - 118) * contrast + 118
    pixels = pixels * (light[..., None] * tint)

    grain = np.float32(rng.uniform(2.0, 9.0))
    noise = rng.standard_normal((height, width), dtype=np.float32) * grain
    pixels += noise[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
