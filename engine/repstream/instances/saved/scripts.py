"""A folder of user scripts, and one of the libraries that they import."""

from __future__ import annotations

import base64
from pathlib import Path

from repstream.errors import Refused, StorageError
from repstream.instances.saved import storing
from repstream.instances.saved.names import check_name


class Scripts:
    """The files in a folder, by their names with the ending; `what` is ``"script"`` or ``"lib"``.

    Scripts run as the user of the server: files are only taken over the network where `permitted`.
    """

    def __init__(self, folder: Path, what: str = "script", permitted: bool = False) -> None:
        self.folder = folder
        self.what = what
        self.permitted = permitted

    def names(self) -> list[str]:
        """The names of all, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name for path in self.folder.iterdir() if path.is_file() and not path.name.startswith(".")
        )

    def path(self, name: str) -> Path:
        """The file of a script; raises `Refused` where there is none."""
        path = self.folder / check_name(self.what, name)
        if not path.is_file():
            raise Refused(self.what, f"Requested {self.what} '{name}' does not exist.")
        return path

    def read(self, name: str) -> tuple[str, bool]:
        """The text of a script; of one that is no text its base64, and True. Raises `Refused`."""
        data = self.path(name).read_bytes()
        try:
            return data.decode(), False
        except UnicodeDecodeError:
            return base64.b64encode(data).decode(), True

    def write(self, name: str, data: bytes) -> None:
        """Keep a script, in place of an earlier one; raises `Refused` where that is not permitted."""
        self._check_permitted()
        storing.folder(self.folder)
        storing.replace(self.folder / check_name(self.what, name), data)

    def delete(self, name: str) -> None:
        """Remove a script; raises `Refused` where there is none, or it is not permitted."""
        self._check_permitted()
        try:
            self.path(name).unlink()
        except OSError as error:
            raise StorageError(f"{self.what} '{name}' cannot be removed: {error.strerror}") from error

    def _check_permitted(self) -> None:
        if not self.permitted:
            raise Refused(
                self.what,
                f"this server takes no {self.what}s over the network; start it with --allow-scripts "
                f"or put the file into {self.folder}",
            )
