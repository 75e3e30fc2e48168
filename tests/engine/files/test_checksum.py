from __future__ import annotations

import numpy as np
import pytest
import zmq

from repstream.files import checksum


def test_crc32c_has_its_published_check_value() -> None:
    assert checksum.function("crc32c")(b"123456789") == 0xE3069283


def test_xxh3_has_its_published_value_of_nothing() -> None:
    assert checksum.function("xxh3")(b"") == 0x2D06800538D394C2


@pytest.mark.parametrize("kind", ["xxh3", "crc32c"])
def test_it_is_of_the_bytes_whatever_holds_them(kind: str) -> None:
    pixels = np.arange(12, dtype=">u2").reshape(3, 4)
    raw, of = pixels.tobytes(), checksum.function(kind)
    assert {of(pixels), of(raw), of(bytearray(raw)), of(zmq.Frame(raw))} == {of(raw)}
    assert np.array([of(raw)], checksum.DTYPES[kind])[0] == of(raw)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="xxh3, crc32c"):
        checksum.function("md5")
