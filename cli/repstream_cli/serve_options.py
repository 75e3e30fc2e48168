"""What the options of `repstream serve` mean, refused where it could not work, before anything is started."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from repstream.errors import Refused
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.parameters.first import first_configuration
from repstream.service.options import ServiceOptions
from repstream.sockets.keys import FOLDER_VARIABLE
from repstream.sockets.security import (
    CLIENTS_VARIABLE,
    KEY_VARIABLE,
    OWN_VARIABLE,
    SERVER_VARIABLE,
    of_server,
)
from repstream_cli.front_ends import installed
from repstream_cli.stack import HttpOptions, RedisOptions

if TYPE_CHECKING:
    from repstream_epics.access import WriteAccess  # an extra

log = logging.getLogger(__name__)


def encrypt(keys: Path | None, settings: Path | None, key: str, clients: str) -> None:
    """Put where keys are, and which encrypt the engine's addresses, into the environment of all processes.

    Refuses keys that are missing.
    """
    if keys is not None or settings is not None:
        os.environ[FOLDER_VARIABLE] = str((keys or (settings or Path()).with_name("keys")).absolute())
    if not key:
        if clients:
            raise typer.BadParameter(
                "they need a key to connect to; give --curve-key", param_hint="--curve-clients"
            )
        return
    # The engine's own processes are its clients with the engine's own pair.
    os.environ.update({OWN_VARIABLE: key, CLIENTS_VARIABLE: clients, KEY_VARIABLE: key, SERVER_VARIABLE: key})
    try:
        of_server()
    except Refused as error:
        raise typer.BadParameter(error.reason, param_hint="--curve-key or --curve-clients") from error


def chosen(front_end: str, wish: bool | None) -> bool:
    """Whether a front end is started; says so where its library is missing."""
    if wish is False or installed(front_end):
        return wish is not False
    missing = f"the {front_end} front end is not installed: pip install 'repstream[{front_end}]'"
    if wish:
        raise typer.BadParameter(missing)
    log.warning("%s", missing)
    return False


def views(given: list[str]) -> dict[str, int]:
    """Ports of the views by name; refuses what is none."""
    if not given:
        return {}
    from repstream_http.compat.views import chosen as chosen_views  # noqa: PLC0415 - an extra

    try:
        return chosen_views(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--view") from error


def write_access(users: list[str], hosts: list[str]) -> WriteAccess:
    """Who may write over EPICS; refuses a host that nobody knows."""
    from repstream_epics.access import WriteAccess  # noqa: PLC0415 - an extra

    try:
        return WriteAccess.of(users, hosts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--epics-allow-host") from error


def http_options(port: int, given: list[str], simulator: float, **protection: Any) -> HttpOptions:
    """The HTTP server's options; refuses tokens that protect less than they seem to and a bad certificate.

    `protection` is what `repstream_http.protection.Protection.of` takes.
    """
    from repstream_http.protection import Protection  # noqa: PLC0415 - an extra

    try:
        own = Protection.of(**protection)
    except Refused as error:
        raise typer.BadParameter(str(error), param_hint="--http-… or --tls-…") from error
    return HttpOptions(port, views(given), simulator, own)


def redis_options(url: str, namespace: str) -> RedisOptions:
    """The mirror's options; refuses what is no address of a Redis."""
    if not installed("redis"):
        raise typer.BadParameter(
            "the mirror is not installed: pip install 'repstream[redis]'", param_hint="--redis"
        )
    from redis import Redis  # noqa: PLC0415 - an extra

    try:
        Redis.from_url(url).close()
    except ValueError as error:
        raise typer.BadParameter(f"{error}, such as redis://host:6379/0", param_hint="--redis") from error
    return RedisOptions(url, namespace)


def engine_options(
    name: str,
    config: Path | None,
    settings: Path | None,
    roots: list[Path],
    host: str,
    *,
    user_ids: Sequence[int] = (),
    plane_patience: float = 0.0,
) -> ServiceOptions:
    """The engine's options; refuses what could not work, before anything is started."""
    for root in roots:
        if not root.is_dir():
            raise typer.BadParameter(f"--root {root} is not a folder: make it first")
    if settings is not None and not settings.absolute().parent.is_dir():
        raise typer.BadParameter(f"--settings {settings} lies in a folder that does not exist: make it first")
    try:
        configuration = storage.load(config, Configuration) if config is not None else first_configuration()
    except Refused as error:
        raise typer.BadParameter(f"--config {error}") from error
    return ServiceOptions(
        name=name,
        roots=tuple(roots),
        user_ids=tuple(user_ids),
        settings=settings.resolve() if settings is not None else None,
        configuration=configuration,
        plane_patience=plane_patience,
        pictures_address=f"tcp://{host}:*",
    )


def database_of_tango() -> str:
    """Host and port of the Tango database that the environment names; refused where it names none."""
    host = os.environ.get("TANGO_HOST", "")
    if not host:
        raise typer.BadParameter("--tango-database needs TANGO_HOST=host:port in the environment")
    return host
