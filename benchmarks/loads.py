"""What is sent in a benchmark: messages of one size and format, numbered one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repstream.messages import array_1_0, bsread, compression, dectris_v1
from repstream.messages.pixels import Pixels
from repstream.sources.images import Images

MARK = 987654321
"""The frame id in the pattern, replaced by each message's own."""

SOCKET_BYTES = 32 << 20

Format = Literal["array-1.0", "camera", "bsread bitshuffle_lz4", "DECTRIS bs16-lz4<"]


@dataclass(frozen=True)
class Load:
    """uint16 images of `shape`; `count` of them make one run.

    `content`: whether the pixels are those of a simulated detector, or all 0.
    """

    shape: tuple[int, int]
    count: int
    format: Format = "array-1.0"
    content: bool = False

    @property
    def nbytes(self) -> int:
        """Size of an image in bytes, uncompressed."""
        return 2 * self.shape[0] * self.shape[1]

    @property
    def hwm(self) -> int:
        """High-water mark of every socket, so that nobody wins by memory."""
        return min(max(SOCKET_BYTES // self.nbytes, 4), 1000)

    def parts(self) -> list[bytes]:
        """One message, with `MARK` for its frame id; compressed pixels are the largest part."""
        return [bytes(part) for part in _ENCODERS[self.format](self)]

    def images(self) -> list[bytes]:
        """Different images, in C order."""
        if not self.content:
            return [bytes(self.nbytes)]
        simulated = Images(self.shape, "uint16", seed=1)
        return [simulated(frame_id).tobytes() for frame_id in range(4)]


def _array(load: Load) -> list[bytes]:
    return [array_1_0.gigafrost_header(MARK, load.shape), load.images()[0]]


def _camera(load: Load) -> list[bytes]:
    """What a camera's stream has: the image, its sizes, time and axes."""
    image = Images(load.shape, "uint16", seed=1)(0)
    height, width = load.shape
    x_axis, y_axis = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    values = {
        "image": image,
        "timestamp": 1.5,
        "width": width,
        "height": height,
        "x_axis": x_axis,
        "y_axis": y_axis,
    }
    channels = [bsread.describe(name, value) for name, value in values.items()]
    return bsread.encode(MARK, channels, list(values.values()), timestamp=(1, 5))


def _bsread(load: Load) -> list[bytes]:
    image = Images(load.shape, "uint16", seed=1)(0)
    camera = bsread.describe("camera", image, "bitshuffle_lz4")
    return bsread.encode(MARK, [camera], [image], timestamp=(1_700_000_000, 0))


def _dectris(load: Load) -> list[bytes]:
    image = Images(load.shape, "uint16", seed=1)(0)
    packed = compression.compress(image, image.itemsize)
    return dectris_v1.encode_image(1, MARK, Pixels(load.shape, "uint16", False, "bitshuffle_lz4", packed))


_ENCODERS: dict[str, Callable[[Load], list[bytes]]] = {
    "array-1.0": _array,
    "camera": _camera,
    "bsread bitshuffle_lz4": _bsread,
    "DECTRIS bs16-lz4<": _dectris,
}

SIZES = {
    "4 kB": Load((32, 64), 12_000),
    "123 kB": Load((128, 480), 2_000),
    "0.26 MB": Load((256, 512), 1_000),
    "0.5 MB": Load((500, 500), 600),
    "4.2 MB": Load((1024, 2048), 100),
    "4.8 MB": Load((1200, 2016), 100),
    "8.1 MB": Load((2016, 2016), 60),
}
"""Images by the name of their size."""


def compressed_part(load: Load) -> bytes:
    """The pixels of one message of a compressed format, as they go over the wire."""
    assert load.format != "array-1.0"
    return max(load.parts(), key=len)


def compress(image: bytes) -> bytes:
    """Pack uint16 pixels with the compressor alone, in the layout of the file."""
    return compression.compress(image, 2)
