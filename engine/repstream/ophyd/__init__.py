"""bluesky devices of a running engine, for ophyd-async: signals, commands, and a detector that writes files.

They speak with the engine itself, by its address: a write or a command that is refused fails its status at
once, with the engine's reason. Needs the extra ``repstream[ophyd]``.
"""

from repstream.ophyd.detector import WriterDetector as WriterDetector
from repstream.ophyd.devices import EngineDevice as EngineDevice
from repstream.ophyd.devices import Section as Section
from repstream.ophyd.link import Link as Link

__all__ = ["EngineDevice", "Link", "Section", "WriterDetector"]
