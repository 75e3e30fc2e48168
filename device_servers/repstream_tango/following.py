"""Devices that come and go while their server runs, as a file says that another program keeps."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from tango import DevFailed, EnsureOmniThread, Util

from repstream.errors import RegistrationError
from repstream_tango.command_line import DEVICE_NAME, Device
from repstream_tango.names import REPEATER_CLASS
from repstream_tango.registration import open_database, register, unregister
from repstream_tango.unsaved import using_database

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks at the file."""


def read(file: Path) -> list[Device]:
    """The devices in a file: a JSON object of device names and the addresses of their engines.

    Raises `RegistrationError` for what is none.
    """
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RegistrationError(f"--devices {file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise RegistrationError(f"--devices {file}: must be a JSON object, not {found!r:.80}")
    for name, address in found.items():
        if not DEVICE_NAME.fullmatch(name) or not isinstance(address, str):
            raise RegistrationError(
                f"--devices {file}: {name!r:.80}: {address!r:.80} is no device and address"
            )
    return [Device(REPEATER_CLASS, name, address) for name, address in found.items()]


class Followed:
    """Makes and removes devices after the file; `server` is ``name/instance``, None without a database.

    Tango makes devices of a class that is known while the server runs (`device_factory`); its own
    `Util.create_device` does the same and needs a database.
    """

    def __init__(self, file: Path, server: str | None) -> None:
        self._file = file
        self._server = server
        self._held: dict[str, str] = {}
        self._engines: dict[str, str] = {}

    def start(self, engines: dict[str, str]) -> None:
        """Follow the file from now on; `engines` are the addresses by device, in lower case, and stay so."""
        self._engines = engines
        self._held = dict(engines)
        threading.Thread(target=self._run, name="devices", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        with EnsureOmniThread():
            while not pause.wait(LOOK):
                try:
                    self._look(read(self._file))
                except (RegistrationError, DevFailed) as error:
                    log.error("%s", error)

    def _look(self, wanted: Sequence[Device]) -> None:
        addresses = {device.name.lower(): device.engine for device in wanted}
        for name in [name for name, address in self._held.items() if addresses.get(name) != address]:
            del self._held[name]
            self._remove(name)
        for device in wanted:
            if device.name.lower() not in self._held:
                self._held[device.name.lower()] = device.engine
                self._add(device)

    def _add(self, device: Device) -> None:
        self._engines[device.name.lower()] = device.engine
        if self._server is not None:
            register(open_database(), self._server, [device], device.engine)
        made = next(each for each in Util.instance().get_class_list() if each.get_name() == REPEATER_CLASS)
        with using_database():
            made.device_factory([device.name])
        log.info("device %s is there", device.name)

    def _remove(self, name: str) -> None:
        device = Util.instance().get_device_by_name(name)
        if self._server is not None:
            unregister(open_database(), name)
        device.get_device_class().device_destroyer(name)
        self._engines.pop(name, None)
        log.info("device %s is gone", name)
