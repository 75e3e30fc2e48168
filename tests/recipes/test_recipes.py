"""Every example of README and docs, run as it stands against an engine with all front ends.

What begins an acquisition must succeed, fail where the start is refused, and fail where another client
ends the acquisition early.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import typer

import repstream
from repstream.files.verify import verify
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.pipelines import configurations
from repstream_cli.exits import Exit
from repstream_cli.main import app
from repstream_epics import list_pvs
from repstream_epics import main as ioc_main
from repstream_http import main as http_main
from tests.cli.running import free_port, started
from tests.integration.rig import Detector, until
from tests.recipes.blocks import PAGES, ROOT, Block, blocks
from tests.recipes.walk import WALKS, block_of

BLOCKS = [block for page in PAGES for block in blocks(page)]

WALKED = {str(block_of(page, step)) for page, steps in WALKS.items() for step in steps}
"""Blocks of pages that are followed from their beginning (`walk.py`)."""

ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py",
    "make test": "it would run itself",
    "pip install": "`make wheels`, in an empty environment",
    "from repstream_http import HttpServer": "tests/rest/test_server.py",
    "from repstream import mflow": "tests/engine/mflow/test_mflow_surface.py",
    "m_split": "tests/engine/mflow",
    "AddLoggingTarget": "tests/device_servers/test_log.py: it needs a database",
    "lima.prepareAcq": "tests/device_servers/test_lima.py: it needs a database",
    "repstream-tango": "tests/device_servers/test_command_line.py: it needs a database",
    "repstream panel tango": "tests/panels: it needs Qt, in an environment of its own",
    "repstream-ioc": "tests/ioc/test_server.py",
    "from repstream.ophyd": "tests/integration/test_ophyd.py",
    "from ophyd_async": "tests/ioc/test_areadetector_ophyd_async.py",
    "from bluesky": "tests/ioc/test_areadetector_clients.py",
    "from p4p.client": "tests/ioc/test_pva.py",
    'h5py.File("scan.h5")': "tests/engine/files",
    "gate_roi1_sum": "tests/integration/test_pictures.py",
    "CamClient": "tests/integration/test_cam_server_clients.py",
    "camera_server -b": "tests/integration/test_cam_server_clients.py",
    "from bsread import PULL": "tests/integration/test_stream_formats.py",
    "redis-cli": "tests/rest/compat/test_std_daq_redis.py",
    "ring = np.memmap": "tests/engine/ring/test_ring_transport.py",
    "$URL/pictures": "tests/rest",
    "repstream look": "tests/cli/test_look.py: of four sources",
    "--size 2167x2070": "tests/cli/doctor: it writes 512 MiB",
    "repstream panel grafana": "tests/panels/test_grafana.py",
    "pvmonitor beam:Image": "tests/integration/test_camera_control_systems.py",
    "--tls-certificate /etc": "tests/cli/test_serve.py",
    "repstream doctor --only security": "tests/cli/doctor/test_security.py",
    "repstream keys": "tests/integration/test_curve.py: it needs two hosts",
    "curve_key": "tests/integration/test_curve.py: it needs two hosts",
    "repstream cluster": "tests/integration/test_cluster.py: it needs three hosts",
    "from repstream.cluster": "tests/integration/test_cluster.py: it needs three hosts",
    "REPSTREAM_HTTP_CHANGE_TOKEN": "tests/rest/test_guard.py",
    "-a gateway=tcp://gateway:9600": "tests/cli/test_status.py: it needs three hosts",
    "gateway.json": "tests/integration/test_cluster.py: it needs three hosts",
    "writer.json": "tests/integration/test_cluster.py: it needs three hosts",
    "--user-id 12345": "tests/cli/test_serve.py: it needs these users",
    "--areadetector X:AD: --settings": "tests/ioc/test_areadetector_clients.py",
    "--view gf_repstream": "tests/rest/compat",
    "gf_repstream --in-address": "tests/cli/test_gf_repstream.py",
    "repstream-http": "tests/rest/test_server.py",
    "sudo": "tests/cli/test_deploy.py: systemd is asked about the unit",
    "OTEL_EXPORTER": "tests/engine/service/test_tracing.py",
    "--gaps 0.01": "tests/cli/test_simulate_consume.py",
    "--save recorded/": "tests/cli/test_simulate_consume.py",
    "--strict --json --quiet": "tests/cli/test_simulate_consume.py",
}
"""How a block begins, or a line of it, that is run by another test."""


def run_here(block: Block) -> bool:
    """Whether a block is run here, and not elsewhere or on a walk."""
    return str(block) not in WALKED and not any(e in block.text for e in ELSEWHERE)


RECIPES = [block for block in BLOCKS if block.starts and run_here(block)]

COMMAND = re.compile(r"^(?:repstream ([\w-]+)|(repstream-http)) ?(.*)$", re.MULTILINE)
DETECTOR = """
import socket
def take_images(number):
    with socket.create_connection(("127.0.0.1", {port})) as detector:
        detector.sendall(f"{{number}}\\n".encode())
        detector.recv(1)
"""


@dataclass
class Beamline:
    """An engine with all its front ends, a detector, and what stands for the addresses in the pages."""

    folder: Path
    environment: dict[str, str]
    replaced: dict[str, str]
    engine: repstream.Client
    detector: Detector
    preview: dict[str, str]
    sent: int = 0
    ends_after: int = 0
    takes: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def run(self, block: Block, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        text = block.text
        for written, here in self.replaced.items():
            text = text.replace(written, here)
        if block.language == "python":
            port = self.takes.getsockname()[1]
            line = [sys.executable, "-c", DETECTOR.format(port=port) + text]
        else:
            line = ["bash", "-euc", f"URL={self.replaced['http://127.0.0.1:8000']}/api/v1\n{text}"]
        return subprocess.run(
            line,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def take(self, number: int) -> None:
        """Send images; where the acquisition is to end early, some, and then stop it as another client."""
        for _ in range(min(number, self.ends_after or number)):
            self.detector.send(range(self.sent, self.sent + 1))
            self.sent += 1
        if self.ends_after:
            until(lambda: self.engine.writers.main.num_written == self.ends_after, "the images")
            self.engine.writers.main.stop().wait(30)

    def serve_detector(self) -> None:
        """Take images when a recipe asks for them."""
        with suppress(OSError):
            while True:
                asking, _ = self.takes.accept()
                with asking, asking.makefile() as line:
                    self.take(int(line.readline()))

    def watch_gate(self, end: threading.Event, by_itself: threading.Event) -> None:
        """Take images whenever the gate opens, as a detector does that is triggered elsewhere."""
        seen = ""
        while not end.wait(0.02):
            writer = self.engine.writers.main
            if writer.gate == "open" and writer.start_id != seen and by_itself.is_set():
                seen = str(writer.start_id)
                self.take(int(writer.num_requested))

    def files(self) -> dict[Path, int]:
        """The files there are, and when they were last written."""
        return {file: file.stat().st_mtime_ns for file in self.folder.rglob("*.h5")}

    def clear(self) -> None:
        """Nothing running, no file there."""
        self.ends_after = 0
        self.engine.writers.main.abort().wait(30)
        self.engine.execute("engine.stop").wait(30)
        self.engine.execute("engine.initialize").wait(30)
        self.engine.execute("engine.configure", {"streams": {"preview": self.preview}}).wait(30)
        self.engine.write({"writers.main.overwrite": False, "writers.main.num_images": 100})
        for file in self.files():
            file.unlink()


BY_ITSELF = threading.Event()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "run1").mkdir()
    engine, tango, epics, http = (free_port() for _ in range(4))
    detector = Detector()
    config = {
        "source": {"address": detector.address},
        "streams": {"live": {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUB"}},
        "writers": {"main": {}},
    }
    (folder / "beamline.json").write_text(json.dumps(config))
    address = f"tcp://127.0.0.1:{engine}"
    ports = ("--tango-port", tango, "--epics-port", epics, "--http-port", http)
    where = ("--engine-address", address, "--config", folder / "beamline.json", "--root", folder)
    end = threading.Event()
    with (
        started("serve", *ports, *where) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as repeater,
    ):
        repeater.bind(("", 0))  # libca leaves a caRepeater running unless somebody has its port
        assert server.stdout is not None
        for line in server.stdout:
            if "serving" in line:
                break
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "EPICS_CA_ADDR_LIST": "127.0.0.1",
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_SERVER_PORT": str(epics),
            "EPICS_CA_REPEATER_PORT": str(repeater.getsockname()[1]),
        }
        replaced = {
            "repstream.Client()": f"repstream.Client('{address}')",
            "http://127.0.0.1:8000": f"http://127.0.0.1:{http}",
            "http://localhost:8000": f"http://127.0.0.1:{http}",
            "ws://127.0.0.1:8000": f"ws://127.0.0.1:{http}",
            "REPEATER": f"tango://127.0.0.1:{tango}/repstream/repeater/1#dbase=no",
            '"repstream/writer/1"': f'"tango://127.0.0.1:{tango}/repstream/writer/1#dbase=no"',
            "/data": str(folder),
            "tcp://127.0.0.1:9600": address,
            "9612": str(free_port()),
        }
        with repstream.Client(address, timeout=60) as client:
            preview = {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUB"}
            line_ = Beamline(folder, environment, replaced, client, detector, preview)
            threads = [
                threading.Thread(target=line_.serve_detector),
                threading.Thread(target=line_.watch_gate, args=(end, BY_ITSELF)),
            ]
            for thread in threads:
                thread.start()
            try:
                yield line_
            finally:
                end.set()
                line_.takes.shutdown(socket.SHUT_RDWR)
                line_.takes.close()
                for thread in threads:
                    thread.join(20)
                detector.close()


@pytest.fixture
def beamline(served: Beamline) -> Beamline:
    served.clear()
    return served


def prepared(block: Block) -> None:
    """Have the images come by themselves unless the recipe takes them."""
    if "take_images" in block.text:
        BY_ITSELF.clear()
    else:
        BY_ITSELF.set()


@pytest.mark.parametrize("block", RECIPES, ids=str)
def test_a_recipe_writes_a_complete_file_and_fails_where_that_exists(
    beamline: Beamline, block: Block
) -> None:
    prepared(block)
    seen = beamline.run(block)
    assert seen.returncode == 0, seen.stdout + seen.stderr
    written = beamline.files()
    for file in written:
        found = verify(file)
        assert (found.complete, found.cut_short, found.images) == (True, False, 100)
    again = beamline.run(block)
    assert again.returncode != 0, again.stdout
    assert "exists" in again.stdout + again.stderr
    assert beamline.files() == written != {}


@pytest.mark.parametrize("block", RECIPES, ids=str)
def test_a_recipe_fails_where_another_ends_it_early(beamline: Beamline, block: Block) -> None:
    prepared(block)
    beamline.ends_after = 4
    seen = beamline.run(block)
    assert seen.returncode != 0, seen.stdout
    assert "4 of 100 images" in seen.stdout + seen.stderr
    assert all(verify(file).cut_short for file in beamline.files())


OTHERS = [block for block in BLOCKS if not block.starts and run_here(block)]


BEFORE = {
    "repeater.ReadLog": "import tango; repeater = tango.DeviceProxy('REPEATER')\n",
    "Pictures1ShownId": "import tango; repeater = tango.DeviceProxy('REPEATER')\n",
}
"""What a reader has typed before a block with this text."""


AFTER_IMAGES = ("repeater.ReadLog", "Pictures1ShownId", "$URL/files")


def take_four(beamline: Beamline) -> None:
    """A file of four images, and the picture of the last one."""
    BY_ITSELF.set()
    engine, writer = beamline.engine, beamline.engine.writers.main
    engine.write({"pictures.1.stream": "preview"})
    engine.write(
        {"writers.main.output_file": str(beamline.folder / "scan_1.h5"), "writers.main.num_images": 4}
    )
    assert writer.start().wait(60).ok
    until(lambda: engine.read("pictures.1.image_id") is not None, "the picture")


@pytest.mark.parametrize("block", OTHERS, ids=str)
def test_an_example_does_what_it_says(beamline: Beamline, block: Block) -> None:
    if any(text in block.text for text in AFTER_IMAGES):
        take_four(beamline)
    before = "".join(line for text, line in BEFORE.items() if text in block.text)
    block = replace(block, text=before + block.text)
    if "repstream doctor" in block.text:  # whether this machine is well is not the question
        assert beamline.run(block).returncode in (Exit.OK, Exit.FAULTS)
        return
    try:
        seen = beamline.run(block, 3 if "for text in changes" in block.text else 100)
    except subprocess.TimeoutExpired as going_on:
        assert b"snapshot" in (going_on.stdout or b"")
        return
    assert seen.returncode == 0, seen.stdout + seen.stderr
    assert '"error"' not in seen.stdout


def test_what_is_run_elsewhere_still_stands_somewhere() -> None:
    text = "".join(block.text for block in BLOCKS)
    assert not [beginning for beginning in ELSEWHERE if beginning not in text]
    named = {where.partition(":")[0] for where in ELSEWHERE.values() if where.startswith("tests/")}
    assert not [where for where in named if not (ROOT / where).exists()]


CONFIGURATIONS = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"^```json\n(\{.*?)^```$", page.read_text(), re.M | re.S))
    if re.search(r'^ ? ?\{?"(source|streams|writers)"', text, re.M)
]


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_configuration_of_the_pages_is_taken(text: str) -> None:
    if '"source_type"' in text:
        configurations.complete("camera", json.loads(text))
    else:
        storage.parse(text, "page", Configuration)


def test_there_are_configurations_in_the_pages() -> None:
    assert len(CONFIGURATIONS) > 5


@pytest.mark.parametrize("block", [b for b in BLOCKS if COMMAND.search(b.text)], ids=str)
def test_command_lines_have_the_options_that_there_are(block: Block) -> None:
    group: Any = typer.main.get_command(app)
    programs = {"repstream-http": http_main.run, "ioc": ioc_main.run, "pvs": list_pvs.run}
    text = block.text.replace("\\\n", " ")
    for name, other, rest in COMMAND.findall(text):
        program = programs.get(name or other)
        command: Any = group.commands[name].loaded() if program is None else _command(program)
        words = re.sub(r"\s+(#|\|\|).*", "", rest).split()
        while words and words[0] in getattr(command, "commands", ()):
            command = command.commands[words.pop(0)]  # repstream panel epics
        known = _options(command)
        if command.context_settings.get("allow_extra_args"):
            known |= _options(group.commands["serve"].loaded())
        missing = [w for w in words if w.startswith("--") and w not in known]
        assert not missing, f"{name or other} has no {missing}"


def _command(program: Callable[..., None]) -> Any:
    alone = typer.Typer()
    alone.command()(program)
    return typer.main.get_command(alone)


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
