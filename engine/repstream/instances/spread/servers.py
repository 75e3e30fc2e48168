"""The file of the servers that instances are spread over, with cam_server's keys: ``servers.json``."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from repstream.errors import InvalidValue
from repstream.instances.saved import storing
from repstream.parameters import storage
from repstream.parameters.complaints import complaint

FILE = "servers.json"

OFF = "#"
"""Begins the name of an instance that is kept in the file and does not count."""


class Server(BaseModel):
    """What the file says of one server; keys that nobody here knows are kept in the file."""

    model_config = ConfigDict(extra="allow", frozen=True)

    enabled: bool = Field(True, description="Whether it is used at all.")
    expanding: bool = Field(True, description="Whether it takes instances that the file names nowhere.")
    instances: tuple[str, ...] = Field(
        (), description='Instances that it has: "name", or "name:port" with the port of the stream.'
    )
    cameras: tuple[str, ...] = Field((), description="Cameras whose pipelines it has.")
    capacity: float = Field(1, gt=0, description="How much it takes, compared with the others.")

    def port_of(self, name: str) -> int | None:
        """The port of an instance that the file gives to this server, 0 for any; None: it does not."""
        for given in self.instances:
            if given == name:
                return 0
            head, separator, port = given.rpartition(":")
            if separator and head == name and port.isascii() and port.isdecimal():
                return int(port)
        return None


class ServersFile:
    """The file, read again as soon as it is another; without one, or with an empty one, `usual` counts."""

    def __init__(self, path: Path, usual: Mapping[str, Server]) -> None:
        self._path = path
        self._usual = dict(usual)
        self._stamp: tuple[int, int] | None = None
        self._servers = self._usual

    def servers(self) -> Mapping[str, Server]:
        """What it says, by address; raises `Refused` where it cannot be read."""
        try:
            found = self._path.stat()
        except OSError:
            self._stamp, self._servers = None, self._usual
            return self._servers
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._servers = checked(self._read(), str(self._path)) or self._usual
            self._stamp = stamp
        return self._servers

    def document(self) -> dict[str, Any]:
        """The file as it is; what counts instead where there is none."""
        if self._path.is_file():
            return self._read()
        return {
            address: server.model_dump(mode="json", exclude={"capacity"})
            for address, server in self._usual.items()
        }

    def write(self, document: Any) -> None:
        """Keep another one, which counts at once; raises `InvalidValue`, and the file is as before."""
        checked(document, FILE)
        storing.replace(self._path, (json.dumps(document, indent=1) + "\n").encode())

    def _read(self) -> dict[str, Any]:
        return storage.as_object(storage.read_text(self._path), str(self._path))


def checked(document: Any, source: str) -> dict[str, Server]:
    """The servers of a document by address; raises `InvalidValue` with what is wrong in it."""
    if not isinstance(document, dict) or not all(isinstance(each, dict) for each in document.values()):
        raise InvalidValue(source, f"must be an object of objects by address, not {document!r:.80}")
    found = {}
    for given, said in document.items():
        address = given.rstrip("/")
        if not is_address(address):
            raise InvalidValue(source, f"{given!r:.80} is no address of a server, such as http://host:8880")
        try:
            found[address] = Server.model_validate(said)
        except ValidationError as error:
            raise InvalidValue(source, f"{address}: {complaint(error, Server)}") from None
    return found


def is_address(text: str) -> bool:
    """Whether this is the address of a server with a REST interface."""
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
