"""A server's devices in a Tango database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tango import ApiUtil, Database, DbDevInfo, DevFailed

from repstream.errors import RegistrationError
from repstream_tango.command_line import Device


def open_database() -> Database:
    """The database at TANGO_HOST; raises `RegistrationError`."""
    try:
        return Database()
    except DevFailed as failed:
        where = ApiUtil.get_env_var("TANGO_HOST")
        raise RegistrationError(
            f"no Tango database answers at {where}: {failed.args[0].desc.strip()}; start it, or correct "
            "TANGO_HOST or --database"
        ) from failed


def is_registered(database: Database, server: str) -> bool:
    """Whether the database knows devices of `server`, which is ``name/instance``."""
    known = iter(database.get_device_class_list(server))
    return any(tango_class != "DServer" for _, tango_class in zip(known, known, strict=True))


def registered_engines(database: Database, server: str) -> list[str]:
    """The properties `Engine` of the devices of `server`, each once."""
    found: dict[str, None] = {}
    known = iter(database.get_device_class_list(server))
    for device, tango_class in zip(known, known, strict=True):
        if tango_class != "DServer" and (
            addresses := database.get_device_property(device, "Engine")["Engine"]
        ):
            found[str(addresses[0])] = None
    return list(found)


def register(
    database: Database,
    server: str,
    devices: Sequence[Device],
    engine: str,
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Enter `devices`, their property `Engine` and `aliases` (by device); what is there as said stays.

    Raises `RegistrationError`, with nothing entered, where a device belongs to another server, or an alias
    to another device.
    """
    known = {device.name.lower() for device in devices}
    for name, alias in aliases.items():
        if name.lower() not in known:
            raise RegistrationError(f"--alias names {name}, which is no device of {server}")
        holder = _device_of(database, alias)
        if holder not in (None, name.lower()):
            raise RegistrationError(f"the alias {alias} belongs to {holder}; remove it there or give another")
    for device in devices:
        owner = _owner(database, device.name)
        if owner not in (None, server):
            raise RegistrationError(
                f"the device {device.name} belongs to {owner}; remove it there or give another name"
            )
    for device in devices:
        info = DbDevInfo()
        info.server, info._class, info.name = server, device.tango_class, device.name
        database.add_device(info)
        database.put_device_property(device.name, {"Engine": [device.engine or engine]})
    for name, alias in aliases.items():
        database.put_device_alias(name, alias)


def unregister(database: Database, device: str) -> None:
    """Remove a device from the database."""
    database.delete_device(device)


def _owner(database: Database, device_name: str) -> str | None:
    try:
        owner: str = database.get_device_info(device_name).ds_full_name
    except DevFailed as failed:
        if failed.args[0].reason == "DB_DeviceNotDefined":
            return None
        raise
    return owner


def _device_of(database: Database, alias: str) -> str | None:
    try:
        return str(database.get_device_from_alias(alias)).lower()
    except DevFailed:
        return None
