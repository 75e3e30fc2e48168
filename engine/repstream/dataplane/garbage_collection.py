"""Python's garbage collector in a process that frames pass through."""

from __future__ import annotations

import gc

THRESHOLD = 20_000
"""How many more objects than before there are when the collector looks at the new ones.

With Python's own 700 it looks at every frame that waits, which costs 2 us a frame: frames hold no
cycles. What does is rare here, and still found.
"""


def spare_frames() -> None:
    """Have the collector leave alone what is there now, and look at less of what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(THRESHOLD)
