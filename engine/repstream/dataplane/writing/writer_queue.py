"""The queue of a writer's acquisition, by the parameters of the writer."""

from __future__ import annotations

from repstream.dataplane.outputs import MIB
from repstream.dataplane.writing.frame_queue import FrameQueue, MemoryQueue
from repstream.dataplane.writing.spill import SpillFile, SpillingQueue
from repstream.parameters.writer import WriterConfig
from repstream.policies.slow_consumer import SlowRule

MOST_KEPT = 1_000_000


def keeping(config: WriterConfig) -> tuple[int, float, int]:
    """How much is kept to begin a file with: frames, seconds, MiB."""
    return config.keep_frames, config.keep_time, config.keep_memory


def queue_for(config: WriterConfig) -> FrameQueue:
    """An empty queue with the limits of a writer, and room for all that it keeps.

    Raises OSError where the spill folder cannot be used.
    """
    kept, time, memory = keeping(config)
    frames, nbytes = config.buffer_size, config.buffer_memory * MIB
    if kept or time:
        frames, nbytes = frames + (kept or MOST_KEPT), nbytes + memory * MIB
    rule = SlowRule(config.on_slow)
    if config.spill_folder:
        file = SpillFile(config.spill_folder, round(config.spill_limit * 1e9))
        return SpillingQueue(rule, frames, nbytes, file)
    return MemoryQueue(rule, frames, nbytes)
