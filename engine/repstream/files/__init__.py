"""Files: where they may lie, what they hold, and how frames get into them."""

from repstream.files.chunk_index import CAPACITY as CAPACITY
from repstream.files.compression import compress as compress
from repstream.files.frame_file import FrameFile as FrameFile
from repstream.files.paths import check_target as check_target
from repstream.files.paths import make_folders as make_folders
from repstream.files.paths import resolve_roots as resolve_roots
from repstream.files.placeholder import Placeholder as Placeholder
from repstream.files.plan import FilePlan as FilePlan
