"""All files that one acquisition makes, by their names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from repstream.files.interleaved import meta_path, turn_paths
from repstream.files.series import parts_there
from repstream.parameters.file_names import PartNames


@dataclass(frozen=True, slots=True)
class FileSet:
    """The file `path` and its parts; fields as in `WriterConfig`.

    Without `in_parts` the images are in the file itself.
    """

    path: Path
    images_per_file: int = 0
    number_of_parts: int = 1
    part_names: PartNames = "repstream"
    in_parts: bool = False

    def __contains__(self, path: Path) -> bool:
        """Whether this acquisition may make a file of this name, now or later."""
        return path == self.path or self._is_part(path)

    def meets(self, other: FileSet) -> bool:
        """Whether both may make a file of the same name."""
        return other.path in self or self.path in other

    @property
    def at_first(self) -> list[Path]:
        """The files that are made before the first image."""
        return [self.path, *self._fixed_parts]

    def parts_there(self) -> list[Path]:
        """Files that are in the way of the parts."""
        if self.images_per_file:
            return parts_there(self.path)
        return [path for path in self._fixed_parts if os.path.lexists(path)]

    @property
    def _fixed_parts(self) -> list[Path]:
        if not self.in_parts:
            return []
        parts = turn_paths(self.path, self.number_of_parts, self.part_names)
        return [*parts, meta_path(self.path, self.part_names)]

    def _is_part(self, path: Path) -> bool:
        if not self.images_per_file:
            return path in self._fixed_parts
        own = re.escape(self.path.stem) + r"_part\d{4,}" + re.escape(self.path.suffix)
        return path.parent == self.path.parent and re.fullmatch(own, path.name) is not None
