"""Cameras or pipelines as Tango devices: a server of its own that follows a file of devices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from repstream.instances.engine import InstanceEngine
from repstream.instances.saved import storing
from repstream.link.server import EngineServer
from repstream_cli.addresses import local
from repstream_cli.children import Child
from repstream_cli.stack import TangoOptions
from repstream_tango.command_line import DEVICE_NAME, READY_LINE, command_line


def device_name(kind: str, name: str) -> str:
    """The name of the device of a camera or a pipeline."""
    return f"repstream/{kind}/{name}"


class TangoDevices:
    """A device for each engine; fills `FrontEnd`. The server begins with the first one.

    `file` tells the server which devices there are: it is a process of its own, and reads it again when
    that process is started anew.
    """

    def __init__(self, kind: str, options: TangoOptions, host: str, file: Path) -> None:
        self._kind = kind
        self._options = options
        self._host = host
        self._file = file
        self._servers: dict[str, EngineServer] = {}
        self._child: Child | None = None

    def open(self, engines: Mapping[str, InstanceEngine]) -> None:
        """Show these; raises `ValueError` for a name that is none of Tango, and `ChildError`."""
        for name in engines:
            self._check(name)
        for name, engine in engines.items():
            self._serve(name, engine)
        self._write()

    def add(self, name: str, engine: InstanceEngine) -> None:
        self._check(name)
        self._serve(name, engine)
        self._write()

    def remove(self, name: str) -> None:
        server = self._servers.pop(name, None)
        if server is not None:
            self._write()
            server.close()

    def tend(self) -> None:
        if self._child is not None:
            self._child.tend()

    def close(self) -> None:
        """End the server."""
        if self._child is not None:
            self._child.close()
        for server in self._servers.values():
            server.close()

    def _check(self, name: str) -> None:
        if not DEVICE_NAME.fullmatch(device_name(self._kind, name)) or "," in name:
            raise ValueError(f"{name!r} cannot be part of a Tango device's name; --only NAME shows others")

    def _serve(self, name: str, engine: InstanceEngine) -> None:
        server = EngineServer(engine, f"tcp://{local(self._host)}:*")
        server.start()
        self._servers[name] = server

    def _write(self) -> None:
        devices = {device_name(self._kind, name): server.address for name, server in self._servers.items()}
        storing.replace(self._file, json.dumps(devices, indent=1).encode())
        if devices and self._child is None:
            self._start()

    def _start(self) -> None:
        options = self._options
        command = command_line(
            instance=options.instance,
            database=options.database,
            register=options.register,
            host=self._host,
            port=options.port,
            devices_file=self._file,
        )
        self._child = Child("tango", command, READY_LINE)
        self._child.start()
