"""`repstream serve` and `repstream status` as users run them."""

import fcntl
import getpass
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import repstream
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_cli.children import Child
from repstream_cli.exits import Exit
from repstream_cli.serve_options import engine_options
from tests.certificates import Authority
from tests.cli.processes import below, still_alive
from tests.cli.running import free_port, run_here, started
from tests.cli.running import repstream as run
from tests.fakes import FakePlane
from tests.integration.rig import until
from tests.ioc.clients import tool
from tests.redis_server import Server

QUIET = ("--no-tango", "--no-epics", "--no-http")


class Site:
    """Free ports and a folder for one serve."""

    def __init__(self, folder):
        self.folder = folder
        self.engine = f"tcp://127.0.0.1:{free_port()}"
        self.tango, self.epics, self.http, self.pva = (free_port() for _ in range(4))
        self.options = (
            "--engine-address",
            self.engine,
            *("--tango-port", self.tango, "--epics-port", self.epics, "--http-port", self.http),
            *("--pva-port", self.pva),
            *("--root", folder),
        )


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def wait_serving(process):
    for line in process.stdout:
        if "serving" in line:
            return
    pytest.fail(f"serve ended: {process.stderr.read()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_everything_comes_up_and_nothing_is_left(site, number):
    with started("serve", *site.options) as process:
        wait_serving(process)
        children = below(process.pid)
        assert len(children) >= 2  # the data plane and the Tango server
        for port in (site.tango, site.epics, site.http, site.pva):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        seen = run("status", "--address", site.engine)
        assert seen.returncode == Exit.OK, seen
        assert "INITIALIZED" in seen.stdout
        process.send_signal(number)
        _, log = process.communicate(timeout=30)
    assert process.returncode == Exit.OK
    assert "Traceback" not in log
    assert not still_alive(children)


def test_nothing_is_left_when_serve_is_killed(site):
    with started("serve", *site.options) as process:
        wait_serving(process)
        children = below(process.pid)
        process.kill()
        process.communicate(timeout=30)
    assert not still_alive(children, patience=20)


def test_a_halted_terminal_holds_nothing_up(site):
    with started("serve", *site.options, *QUIET) as process:
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        wait_serving(process)
        with repstream.Client(site.engine, timeout=10) as engine:
            for number in range(100):  # each is a line of the log
                engine.write("source.address", f"tcp://127.0.0.1:{20_000 + number}")
            assert engine.read("source.address").endswith("20099")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == Exit.OK
        log = process.stderr.read()
    assert "20001" in log
    assert "20099" not in log


def test_a_tango_server_that_dies_is_started_again(site):
    with started("serve", *site.options, "--no-epics", "--no-http") as process:
        wait_serving(process)
        pattern = f"repstream_tango.server.*{site.engine}"
        (server,) = subprocess.run(
            ["pgrep", "-P", str(process.pid), "-f", pattern], capture_output=True, text=True, check=True
        ).stdout.split()
        subprocess.run(["kill", "-9", server], check=True)
        for line in process.stderr:
            if "tango ended with status" in line:
                break
        for line in process.stderr:
            if "Ready to accept request" in line:
                break
        socket.create_connection(("127.0.0.1", site.tango), timeout=5).close()


def test_clients_of_lima_find_their_device(site):
    name = "bl/lima/1"
    with started("serve", *site.options, "--no-epics", "--no-http", "--lima", name) as process:
        said = list(iter(process.stdout.readline, "serving; Ctrl-C ends it\n"))
        address = f"tango://127.0.0.1:{site.tango}/{name}#dbase=no"
        assert f"Tango   {address} (Lima)\n" in said
        script = f"import tango; print(tango.DeviceProxy({address!r}).acq_status)"
        found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "Ready\n"


@pytest.mark.parametrize("users", [("somebody-else",), ("somebody-else", getpass.getuser())])
def test_only_epics_users_on_the_list_may_write(site, users):
    config = site.folder / "config.json"
    config.write_text(json.dumps({"streams": {"live": {"address": f"tcp://127.0.0.1:{free_port()}"}}}))
    allowed = [option for user in users for option in ("--epics-allow-user", user)]
    options = (*site.options, "--no-tango", "--no-http", "--config", config, *allowed)
    with started("serve", *options, "--epics-allow-host", "localhost") as process:
        wait_serving(process)
        tool(site.epics, "caput", "-c", "X:REPSTREAM:Strm1:EveryNth", "7")
        with repstream.Client(site.engine) as engine:
            assert engine.read("streams.live.every_nth") == (7 if getpass.getuser() in users else 1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--epics-allow-host", "nowhere.invalid"), "is no host that may"),
        (("--epics-allow-user", "anna", "--no-epics"), "leave out --no-epics"),
        (("--lima", "bl/lima/1", "--no-tango"), "leave out --no-tango"),
        (("--lima", "lima"), "three parts"),
    ],
)
def test_options_that_make_no_sense_are_refused(site, options, reason):
    refused = run_here("serve", *site.options, *options)
    assert refused.returncode == Exit.USAGE
    assert reason in refused.stderr


def test_a_configuration_is_loaded_and_started(site):
    stream = f"tcp://127.0.0.1:{free_port()}"
    config = site.folder / "config.json"
    config.write_text(json.dumps({"streams": {"live": {"address": stream}}, "writers": {"main": {}}}))
    with started("serve", *site.options, *QUIET, "--config", config, "--start", "--name", "x1") as process:
        wait_serving(process)
        seen = run("status", "--address", site.engine)
        assert "x1: RUNNING" in seen.stdout
        assert f"stream live at {stream}" in seen.stdout
        values = json.loads(run("status", "--address", site.engine, "--json").stdout)
        assert values["writers.1.name"] == "main"
        assert values["engine.roots"] == str(site.folder)


def test_each_change_of_state_is_a_line_of_json_with_its_acquisition(site):
    config = site.folder / "config.json"
    config.write_text(json.dumps({"writers": {"main": {"folder": str(site.folder), "file_name": "f"}}}))
    options = (*site.options, *QUIET, "--config", config, "--log-format", "json")
    with started("serve", *options) as process:
        wait_serving(process)
        with repstream.Client(site.engine) as client:
            client.writers.main.arm().wait(30)
            identity = client.writers.main.acquisition_id
            client.writers.main.stop().wait(30)
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in process.communicate(timeout=30)[1].splitlines()]
    about = [line for line in lines if line.get("acquisition_id") == identity]
    states = [line["text"].partition(": ")[2].split()[0] for line in about]
    assert [word for word in states if word.isupper()] == ["WAITING_IMAGES", "FLUSHING_IMAGES", "FINISHED"]
    assert {(line["engine"], line["subject"]) for line in about} == {("repstream", "writers.main")}
    assert any(line["text"] == "engine: INITIALIZED → RUNNING" for line in lines)


def test_settings_survive_a_restart(site):
    settings = site.folder / "settings.json"
    for expected, written in ((2, 3), (3, 4)):
        with started("serve", *site.options, *QUIET, "--settings", settings) as process:
            wait_serving(process)
            with repstream.Client(site.engine) as client:
                assert client.source.io_threads == expected
                client.source.io_threads = written


def test_a_key_guards_the_address_also_for_tango(site):
    with started("serve", *site.options, "--no-epics", "--no-http", "--key", "secret") as process:
        wait_serving(process)
        refused = run("status", "--address", site.engine, "--timeout", 1)
        assert refused.returncode == Exit.NOTHING
        assert "key" in refused.stderr
        assert run("status", "--address", site.engine, "--key", "secret").returncode == Exit.OK
        tango = pytest.importorskip("tango")
        name = f"tango://127.0.0.1:{site.tango}/repstream/repeater/1#dbase=no"
        assert tango.DeviceProxy(name).State() == tango.DevState.STANDBY


@pytest.mark.parametrize("which", ["tango", "epics", "http"])
def test_a_taken_port_is_said_before_anything_is_started(site, which):
    with socket.create_server(("127.0.0.1", getattr(site, which))):
        seen = run("serve", *site.options)
    assert seen.returncode == Exit.USAGE
    assert f"--{which}-port" in seen.stderr


def test_a_second_engine_at_the_same_address_is_refused(site):
    with started("serve", *site.options, *QUIET) as process:
        wait_serving(process)
        seen = run("serve", *site.options, *QUIET)
    assert seen.returncode == Exit.USAGE
    assert "--engine-address" in seen.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--config", "/nowhere.json", "cannot be read"),
        ("--root", "/nowhere", "not a folder"),
        ("--settings", "/nowhere/settings.json", "does not exist"),
        ("--redis", "localhost:6379", "such as redis://host:6379/0"),
    ],
)
def test_wrong_usage_is_said(option, value, said):
    seen = run_here("serve", *QUIET, option, value)
    assert seen.returncode == Exit.USAGE
    assert said in " ".join(seen.stderr.replace("│", " ").split())


def test_no_engine_is_an_exit_code_of_its_own():
    seen = run("status", "--address", f"tcp://127.0.0.1:{free_port()}", "--timeout", 0.3)
    assert seen.returncode == Exit.NOTHING


def test_the_tango_server_is_entered_into_a_database(site, monkeypatch):
    tango = pytest.importorskip("tango")
    port = free_port()
    command = [sys.executable, "-m", "databaseds.database", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PYTANGO_DATABASE_NAME": ":memory:", "TANGO_HOST": f"127.0.0.1:{port}"}
    database = Child("database", [*command, "--print-host-port", "2"], "port=", environment)
    database.start()
    try:
        monkeypatch.setenv("TANGO_HOST", f"127.0.0.1:{port}")
        options = ("--engine-address", site.engine, "--no-epics", "--no-http", "--tango-database")
        with started("serve", *options, "--tango-instance", "x1", "--root", site.folder) as process:
            wait_serving(process)
            device = tango.DeviceProxy(f"tango://127.0.0.1:{port}/repstream/repeater/1")
            assert device.State() == tango.DevState.STANDBY
            assert device.info().server_id == "repstream-tango/x1"
    finally:
        database.close()


def test_a_database_needs_an_address(site, monkeypatch):
    monkeypatch.delenv("TANGO_HOST", raising=False)
    seen = run_here("serve", *site.options, "--tango-database")
    assert seen.returncode == Exit.USAGE
    assert "TANGO_HOST" in seen.stderr


def test_settings_given_by_a_relative_path_can_be_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = engine_options("test", None, Path("settings.json"), [tmp_path], "127.0.0.1")
    service, asker = Service(options, FakePlane()), Requester("test")
    service.start()
    try:
        service.execute("engine.save_config", "", asker).wait(10)
        service.execute("engine.load_config", "", asker).wait(10)
        assert service.read("engine.config_file").value == str(tmp_path / "settings.json")
    finally:
        service.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--http-read-token", "a" * 20), "leaves changes open"),
        (("--http-tokens", "/nowhere/tokens.json"), "repstream tokens create"),
        (("--http-max-reads", "-1"), "must be 0 or more"),
        (("--curve-clients", "*"), "give --curve-key"),
        (("--curve-key", "nobody", "--curve-clients", "*"), "no key pair 'nobody'"),
        (("--view", "nonsense"), "is no view"),
        (("--view", "std_daq", "--no-http"), "leave out --no-http"),
    ],
)
def test_what_would_protect_less_than_it_seems_to_is_refused(tmp_path, options, said):
    ran = run("serve", "--root", tmp_path, *options)
    assert ran.returncode == Exit.USAGE
    assert said in " ".join(ran.stderr.replace("│", "").split())


def test_the_standard_daqs_documents_are_mirrored_in_redis(site):
    server = Server(site.folder)
    server.start()
    try:
        driver = free_port()
        options = (
            "--redis",
            server.url,
            "--redis-namespace",
            "beamline",
            "--view",
            f"std_daq_driver={driver}",
        )
        with started("serve", *site.options, "--no-tango", "--no-epics", *options) as process:
            said = "".join(iter(process.stdout.readline, "serving; Ctrl-C ends it\n"))
            assert f"std_daq_driver at ws://127.0.0.1:{driver}" in said
            assert f"beamline:status and others at 127.0.0.1:{server.port}" in said
            until(lambda: bool(server.documents("beamline:status")), "the status")
    finally:
        server.stop()


def test_everything_over_http_is_encrypted_where_there_is_a_certificate(site, tmp_path):
    authority = Authority(tmp_path)
    files, view = authority.issue("server"), free_port()
    tls = ("--tls-certificate", files.certificate, "--tls-key", files.key)
    front_ends = ("--no-tango", "--no-epics", "--view", f"gf_repstream={view}")
    with started("serve", *site.options, *front_ends, *tls) as process:
        said = "".join(iter(process.stdout.readline, "serving; Ctrl-C ends it\n"))
        for port, path in ((site.http, "health"), (view, "get_state")):
            url = f"https://127.0.0.1:{port}"
            assert url in said
            assert httpx.get(f"{url}/{path}", verify=authority.trusted(), timeout=30).is_success


def test_a_certificate_that_cannot_serve_is_refused_before_anything_is_started(site, tmp_path):
    authority = Authority(tmp_path)
    good, other = authority.issue("good"), authority.issue("other")
    seen = run("serve", *site.options, "--tls-certificate", good.certificate, "--tls-key", other.key)
    assert seen.returncode == Exit.USAGE
    assert "does not belong to" in " ".join(seen.stderr.replace("│", " ").split())
