"""Images as HDF5 filter 32008 (bitshuffle with LZ4) stores them; streams carry the same layout."""

from __future__ import annotations

from repstream.messages.compression import PREFIX_BYTES as PREFIX_BYTES
from repstream.messages.compression import compress as compress
