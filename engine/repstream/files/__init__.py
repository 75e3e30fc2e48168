"""Files: where they may lie, what they hold, and how frames get into them."""

from repstream.files.chunk_index import CAPACITY
from repstream.files.compression import compress
from repstream.files.frame_file import FrameFile
from repstream.files.paths import check_target, make_folders, resolve_roots
from repstream.files.placeholder import Placeholder
from repstream.files.plan import FilePlan

__all__ = [
    "CAPACITY",
    "FilePlan",
    "FrameFile",
    "Placeholder",
    "check_target",
    "compress",
    "make_folders",
    "resolve_roots",
]
