"""Photos that come with a request: how many, how large, whether they are photos at all, and their
decoding within bounds.

Files larger than a megabyte lie on disk until they are read here, one request at a time, after its
size was found to be within the limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.photo import photo_header
from hazardscribe.pairs.photo_limits import PhotoLimits
from hazardscribe.serving.errors import ApiError, photo_error

if TYPE_CHECKING:
    from hazardscribe.serving.memory import Held
    from hazardscribe.serving.settings import ServeSettings

Decoded = TypeVar("Decoded")
_LARGE = 16_000_000  # pixels
_BLOCK = 64 * 2**20


def photo_limits(settings: ServeSettings) -> PhotoLimits:
    """What the loader refuses of an uploaded photo."""
    return PhotoLimits(max_bytes=settings.max_photo_bytes, max_pixels=settings.max_pixels)


async def read_photos(
    files: Sequence[UploadFile],
    settings: ServeSettings,
    memory: Held,
    *,
    least: int = 1,
    check: bool = True,
) -> list[bytes]:
    """The bytes of uploaded photos, within the limits.

    Args:
        settings: holds the limits. memory: takes the photos' bytes. least: fewer are refused.
        check: whether each must have the header of a photo that can be used; False where a bad one
            is told of in its own place.

    Raises:
        ApiError: 413 for too many or too large photos, 422 for too few or damaged ones, 415 for
            files that are no photos, 429 where other requests hold too many bytes.
    """
    if len(files) < least:
        raise ApiError(
            422, "no_photo", "请至少附上一张照片（字段 photos）。", "Attach a photo (field photos)."
        )
    if len(files) > settings.max_photos:
        raise ApiError(
            413,
            "too_many_photos",
            f"一次最多 {settings.max_photos} 张照片，请分批提交。",
            f"At most {settings.max_photos} photos at a time; send them in parts.",
        )
    limits = photo_limits(settings)
    photos = []
    for place, file in enumerate(files):
        if file.size is not None and file.size > limits.max_bytes:
            raise too_large(limits.max_bytes, place)
    memory.take(sum(file.size or 0 for file in files))
    for place, file in enumerate(files):
        photos.append(await file.read(limits.max_bytes + 1))
        if len(photos[-1]) > limits.max_bytes:
            raise too_large(limits.max_bytes, place)
    if check:
        await run_in_threadpool(check_headers, photos, limits)
    return photos


def check_headers(photos: Sequence[bytes], limits: PhotoLimits) -> None:
    """Refuse files that are no usable photo by their headers.

    Raises:
        ApiError: 413, 415 or 422, with the reason as its code.
    """
    for place, photo in enumerate(photos):
        try:
            photo_header(photo, limits=limits)
        except PhotoError as error:
            raise photo_error(error, place if len(photos) > 1 else None) from error


class Decoders:
    """Threads on which photos are decoded: two, and one of its own for large pictures.

    A large picture that is no JPEG is unpacked whole, a hundred megapixels to a gigabyte: of those
    only one at a time.
    """

    def __init__(self, limits: PhotoLimits) -> None:
        from PIL import Image

        self._limits = limits
        # Blocks this large the C library gives back to the system; of Pillow's own size, 16 MB, it
        # would keep as many as a thread ever used.
        Image.core.set_block_size(_BLOCK)  # type: ignore[attr-defined]
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="decode")
        self._pool_of_large = ThreadPoolExecutor(1, thread_name_prefix="decode-large")

    async def __call__(
        self, photo: bytes, decode: Callable[[bytes, PhotoLimits], Decoded]
    ) -> Decoded | PhotoError:
        """What `decode` makes of a photo, or why it cannot be used."""
        loop = asyncio.get_running_loop()
        try:
            large = await loop.run_in_executor(self._pool, self._is_large, photo)
            pool = self._pool_of_large if large else self._pool
            return await loop.run_in_executor(pool, decode, photo, self._limits)
        except PhotoError as error:
            return error

    def _is_large(self, photo: bytes) -> bool:
        header = photo_header(photo, limits=self._limits)
        width, height = header.size
        return width * height > _LARGE and header.kind not in ("JPEG", "MPO")

    def close(self) -> None:
        """Give up what waits."""
        for pool in (self._pool, self._pool_of_large):
            pool.shutdown(cancel_futures=True)


def too_large(limit: int, place: int) -> ApiError:
    """The refusal of a photo with too many bytes."""
    size = f"{limit / 2**20:g} MiB"
    return ApiError(
        413,
        "too_large",
        f"第 {place + 1} 张照片超过 {size}，请保存较小的副本。",
        f"Photo {place + 1} is larger than {size}; save a smaller copy of it.",
    )
