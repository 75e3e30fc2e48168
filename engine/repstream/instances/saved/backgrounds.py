"""A folder of background images, ``<id>.npy``. None is ever deleted: a replaced one is kept beside."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from repstream.errors import InvalidValue, Refused, StorageError
from repstream.instances.saved import storing
from repstream.instances.saved.names import check_name

SUFFIX = ".npy"
EARLIER = "replaced"
"""The folder beside them in which earlier versions are kept."""

_STAMP = "_%Y%m%d_%H%M%S_%f"
_STAMPED = re.compile(r"(.+)_\d{8}_\d{6}_\d{6}")


class Backgrounds:
    """The images in a folder, by id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ids(self, camera: str) -> list[str]:
        """The ids of a camera's images, sorted: collected ones carry the time, uploaded ones begin like it.

        Those of a camera whose name begins alike are not among them.
        """
        found = (path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))
        return sorted(each for each in found if _is_of(each, check_name("camera", camera)))

    def latest(self, camera: str) -> str:
        """The id of the image that was collected last, else the last of the uploaded; raises `Refused`."""
        ids = self.ids(camera)
        if not ids:
            raise Refused("background", f"No background matches for the specified prefix '{camera}'.")
        return max(ids, key=lambda each: (_STAMPED.fullmatch(each) is not None, each))

    def path(self, background_id: str) -> Path:
        """The file of an image; raises `Refused` where there is none."""
        path = self._path(background_id)
        if not path.is_file():
            raise Refused("background", f"Requested background '{background_id}' does not exist.")
        return path

    def load(self, background_id: str) -> npt.NDArray[Any]:
        """An image, [height, width]; raises `Refused`."""
        path = self.path(background_id)
        try:
            image: npt.NDArray[Any] = np.load(path, allow_pickle=False)
            return _checked(image)
        except (OSError, ValueError, EOFError) as error:
            raise Refused("background", f"Invalid background image file: {background_id}") from error

    def stamp(self, background_id: str) -> int:
        """What changes when another image takes its id; raises `Refused` where there is none."""
        return self.path(background_id).stat().st_mtime_ns

    def collected(self, camera: str, image: npt.NDArray[Any], now: datetime) -> str:
        """Keep an image that was taken of a camera; its id."""
        while not storing.create(self._path(found := camera + now.strftime(_STAMP)), _file_of(image)):
            now += timedelta(microseconds=1)
        return found

    def put(self, background_id: str, image: npt.NDArray[Any], now: datetime) -> None:
        """Keep an image under an id; what had it so far is kept in the folder `EARLIER`, with the time.

        An image that has it already stays as it is.
        """
        path = self._path(background_id)
        data = _file_of(_checked(image))
        if storing.create(path, data) or path.read_bytes() == data:
            return
        earlier = storing.folder(self.folder / EARLIER)
        try:
            while not _linked(path, earlier / (background_id + now.strftime(_STAMP) + SUFFIX)):
                now += timedelta(microseconds=1)
        except OSError as error:
            raise StorageError(f"{path} cannot be kept in {earlier}: {error.strerror}") from error
        storing.replace(path, data)

    def _path(self, background_id: str) -> Path:
        return self.folder / (check_name("background", background_id) + SUFFIX)


def _is_of(background_id: str, camera: str) -> bool:
    if (stamped := _STAMPED.fullmatch(background_id)) is not None:
        return stamped[1] == camera
    return background_id.startswith(camera)


def _checked(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if image.ndim != 2 or not image.size or image.dtype.kind not in "biuf":
        raise InvalidValue(
            "background", f"an image has two dimensions and numbers, not {image.shape} of {image.dtype}"
        )
    return image


def _file_of(image: npt.NDArray[Any]) -> memoryview:
    buffer = io.BytesIO()
    np.save(buffer, image, allow_pickle=False)
    return buffer.getbuffer()


def _linked(path: Path, kept: Path) -> bool:
    try:
        kept.hardlink_to(path)
    except FileExistsError:
        return False
    return True
