"""`repstream serve`: one engine, and any set of front ends on it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from repstream.logs import FORMAT_VARIABLE, log_to_stderr
from repstream.sockets.keys import FOLDER_VARIABLE
from repstream.sockets.security import CLIENTS_VARIABLE, OWN_VARIABLE
from repstream_cli.interrupt import until_interrupted
from repstream_cli.serve_options import (
    chosen,
    database_of_tango,
    encrypt,
    engine_options,
    http_options,
    redis_options,
    write_access,
)
from repstream_cli.serving import run
from repstream_cli.stack import EpicsOptions, StackOptions, TangoOptions
from repstream_http.options import MOST_CHANGES, MOST_READS, option
from repstream_tango.command_line import DEFAULT_PORT, DEVICE_NAME


def serve(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Initial configuration (JSON); ignored where --settings has saved one.",
            show_default="a stream for pictures",
        ),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="File in which changes are saved; it is read at the next start.")
    ] = None,
    keep_data_plane: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="If the engine dies, let its data plane write on for this long; the next start with the "
            "same --settings takes it over.",
            show_default="it ends",
        ),
    ] = 0.0,
    root: Annotated[
        list[Path] | None, typer.Option(help="Folder below which files may be written; may be repeated.")
    ] = None,
    user_id: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="User for whom files may be made (user_id of a writer), if the service may act for "
            "others; may be repeated.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the engine.")] = "repstream",
    host: Annotated[
        str, typer.Option(help="Address that all servers listen on; 0.0.0.0 for every network.")
    ] = "127.0.0.1",
    engine_address: Annotated[
        str, typer.Option(help="The engine's own address.", show_default="tcp://HOST:9600")
    ] = "",
    key: Annotated[
        str, typer.Option(envvar="REPSTREAM_KEY", help="Key that clients of the engine's address must give.")
    ] = "",
    keys: Annotated[
        Path | None,
        typer.Option(
            envvar=FOLDER_VARIABLE,
            metavar="FOLDER",
            help="Folder of the keys that encrypt ZMQ (repstream keys).",
            show_default="keys beside --settings, else ~/.config/repstream/keys",
        ),
    ] = None,
    curve_key: Annotated[
        str,
        typer.Option(
            envvar=OWN_VARIABLE,
            metavar="NAME",
            help="Key pair that encrypts the engine's own addresses (CURVE).",
            show_default="not encrypted",
        ),
    ] = "",
    curve_clients: Annotated[
        str,
        typer.Option(
            envvar=CLIENTS_VARIABLE,
            metavar="NAMES",
            help="Public keys of those who may connect there, separated by commas; * for all who know ours.",
        ),
    ] = "",
    tango: Annotated[
        bool | None, typer.Option("--tango/--no-tango", help="Tango server.", show_default="if installed")
    ] = None,
    tango_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Its port.", show_default="9601, a free one with a database"),
    ] = None,
    tango_database: Annotated[
        bool, typer.Option("--tango-database", help="Use and register in the database at TANGO_HOST.")
    ] = False,
    tango_instance: Annotated[str, typer.Option(help="Instance of the server in the database.")] = "1",
    lima: Annotated[
        str,
        typer.Option(
            metavar="DEVICE",
            help="Serve writer 1 as a Tango device of Lima too, of this name: bl/lima/1.",
            show_default="not served",
        ),
    ] = "",
    epics: Annotated[
        bool | None, typer.Option("--epics/--no-epics", help="EPICS server.", show_default="if installed")
    ] = None,
    epics_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 5064,
    epics_prefix: Annotated[str, typer.Option(help="Beginning of all its PV names.")] = "X:REPSTREAM:",
    epics_allow_user: Annotated[
        list[str] | None,
        typer.Option(
            help="User who may write over EPICS, as the client says; repeat it.", show_default="every user"
        ),
    ] = None,
    epics_allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Host from which EPICS clients may write; repeat it.", show_default="any host"),
    ] = None,
    areadetector: Annotated[
        str,
        typer.Option(
            metavar="PREFIX",
            help="Serve writer 1 as areaDetector too: PREFIXcam1:… and PREFIXHDF1:…",
            show_default="not served",
        ),
    ] = "",
    pva: Annotated[
        bool | None,
        typer.Option(
            "--pva/--no-pva", help="PV Access beside Channel Access.", show_default="if both are installed"
        ),
    ] = None,
    pva_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Its port; a free one where that is taken.")
    ] = 5075,
    http: Annotated[
        bool | None, typer.Option("--http/--no-http", help="HTTP server.", show_default="if installed")
    ] = None,
    http_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 8000,
    http_read_token: Annotated[str, option("read_token")] = "",
    http_change_token: Annotated[str, option("change_token")] = "",
    http_read_only: Annotated[bool, option("read_only")] = False,
    http_tokens: Annotated[Path | None, option("tokens")] = None,
    http_open_reading: Annotated[bool, option("open_reading")] = False,
    http_max_reads: Annotated[float, option("most_reads")] = MOST_READS,
    http_max_changes: Annotated[float, option("most_changes")] = MOST_CHANGES,
    tls_certificate: Annotated[Path | None, option("tls_certificate")] = None,
    tls_key: Annotated[Path | None, option("tls_key")] = None,
    view: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=PORT]",
            help="Serve the interface of a replaced system as well, on its usual port or another; "
            "repeat it for more: gf_repstream (8888), std_daq (5000), std_daq_driver (8080).",
        ),
    ] = None,
    simulator: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="HZ",
            help="Let clients of std_daq start a simulated detector, which sends at this rate to the source.",
            show_default="there is none",
        ),
    ] = 0.0,
    redis: Annotated[
        str,
        typer.Option(
            envvar="REPSTREAM_REDIS",
            metavar="URL",
            help="Redis server to mirror a standard DAQ's streams to, such as redis://host:6379/0.",
            show_default="no mirror",
        ),
    ] = "",
    redis_namespace: Annotated[
        str, typer.Option(help="Beginning of the names of its streams: NAMESPACE:status, …")
    ] = "daq",
    start: Annotated[bool, typer.Option("--start", help="Start the repeater at once.")] = False,
    on_close: Annotated[
        str,
        typer.Option(
            metavar="COMMAND",
            help="Run this after each acquisition, with the closed file as last argument "
            "and what is known of it in REPSTREAM_… variables.",
        ),
    ] = "",
    log_format: Annotated[
        Literal["text", "json"],
        typer.Option(envvar=FORMAT_VARIABLE, help="Lines of the log for people, or JSON for programs."),
    ] = "text",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run one engine with Tango, EPICS and HTTP on it, until Ctrl-C or SIGTERM.

    Every front end that is installed is started; --no-… leaves one out. All
    listen on this machine only, unless --host says otherwise.

    [bold]Examples[/bold]

      repstream serve --config beamline.json --root /data --start
      repstream serve --no-epics --http-port 8080 --settings /var/lib/repstream.json
      repstream serve --root /data --view gf_repstream --view std_daq
      repstream serve --root /data --view std_daq --redis redis://localhost:6379/0
      repstream serve --root /data --areadetector X:AD: --lima bl/lima/1
      repstream serve --root /data --on-close 'logger closed'
      repstream serve --host 0.0.0.0 --tls-certificate daq.pem --tls-key daq.key
      TANGO_HOST=tango:10000 repstream serve --tango-database --tango-instance x1
    """
    os.environ[FORMAT_VARIABLE] = log_format  # for the processes that are started
    log_to_stderr(logging.DEBUG if verbose else logging.INFO)
    encrypt(keys, settings, curve_key, curve_clients)
    if view and http is False:
        raise typer.BadParameter(
            "views are served by the HTTP server; leave out --no-http", param_hint="--view"
        )
    if areadetector and epics is False:
        raise typer.BadParameter(
            "areaDetector's PVs are served by the EPICS server; leave out --no-epics",
            param_hint="--areadetector",
        )
    if lima and tango is False:
        raise typer.BadParameter("the Tango server serves it; leave out --no-tango", param_hint="--lima")
    if lima and not DEVICE_NAME.fullmatch(lima):
        raise typer.BadParameter(
            f"{lima!r} is no device name: it has three parts, such as bl/lima/1", param_hint="--lima"
        )
    if (epics_allow_user or epics_allow_host) and epics is False:
        raise typer.BadParameter(
            "they are allowed to write to the EPICS server; leave out --no-epics",
            param_hint="--epics-allow-user or --epics-allow-host",
        )
    if pva and epics is False:
        raise typer.BadParameter(
            "PV Access is served by the EPICS server; leave out --no-epics", param_hint="--pva"
        )
    if keep_data_plane and settings is None:
        raise typer.BadParameter(
            "the next start finds the data plane by its settings; add --settings",
            param_hint="--keep-data-plane",
        )
    wanted = {
        front_end: chosen(front_end, wish)
        for front_end, wish in (("tango", tango), ("epics", epics), ("http", http))
    }
    with_pva = wanted["epics"] and chosen("pva", pva)
    database = database_of_tango() if tango_database and wanted["tango"] else ""
    port = tango_port or (0 if database else DEFAULT_PORT)
    options = StackOptions(
        engine=engine_options(
            name, config, settings, root or [], host, user_ids=user_id or (), plane_patience=keep_data_plane
        ),
        engine_address=engine_address or f"tcp://{host}:9600",
        key=key,
        host=host,
        on_close=on_close,
        tango=TangoOptions(port, database, tango_instance, bool(database), lima) if wanted["tango"] else None,
        epics=EpicsOptions(
            epics_port,
            epics_prefix,
            areadetector,
            pva_port if with_pva else None,
            write_access(epics_allow_user or [], epics_allow_host or []),
        )
        if wanted["epics"]
        else None,
        http=http_options(
            http_port,
            view or [],
            simulator,
            read_token=http_read_token,
            change_token=http_change_token,
            read_only=http_read_only,
            tokens=http_tokens,
            open_reading=http_open_reading,
            most_reads=http_max_reads,
            most_changes=http_max_changes,
            tls_certificate=tls_certificate,
            tls_key=tls_key,
        )
        if wanted["http"]
        else None,
        redis=redis_options(redis, redis_namespace) if redis else None,
    )
    with until_interrupted() as stop:
        raise typer.Exit(run(options, stop, start))
