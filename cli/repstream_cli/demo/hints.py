"""What to try on the running demo, ready to be copied."""

from __future__ import annotations

from repstream_cli import addresses
from repstream_cli.demo.setup import WRITER, DemoOptions, Ports
from repstream_cli.ports import reachable
from repstream_cli.stack import Stack


def lines(stack: Stack, options: DemoOptions, chosen: Ports) -> list[str]:
    """Where everything is, and commands for another terminal."""
    assert stack.options.tango is not None and stack.options.epics is not None
    prefix = stack.options.epics.prefix
    environment = " ".join(f"{name}={value}" for name, value in addresses.epics_environment(stack).items())
    url = f"{addresses.http_url(stack)}/api/v1"
    path = options.folder / options.name
    streams = ", ".join(f"tcp://127.0.0.1:{port}" for port in chosen.streams)
    proxy = "import tango; w = tango.DeviceProxy('repstream/writer/1')"
    json = "-H 'Content-Type: application/json' -d"
    wanted = f'{{"writers.{WRITER}.output_file": "{path}_http.h5", "writers.{WRITER}.num_images": 30}}'
    return [
        "Where everything is:",
        *(f"  {line}" for line in addresses.lines(stack)),
        f"  streams {streams} (PUB)",
        f"  files   {options.folder}",
        "",
        "To try from another terminal (. .venv/bin/activate first):",
        "  # Tango: set the file and the number of images, start, look",
        f"  export TANGO_HOST={stack.options.tango.database}",
        f"  python -c \"{proxy}; w.OutputFile = '{path}_tango.h5'; w.NumImages = 50; w.Start()\"",
        f'  python -c "{proxy}; print(w.State(), w.NumWritten)"',
        "  # EPICS: the same; caput -c returns when the file is closed",
        f"  export {environment}",
        f"  caget {prefix}State_RBV {prefix}Src:Rate_RBV {prefix}Wr1:NumWritten_RBV",
        f"  caput -S {prefix}Wr1:OutputFile {path}_epics.h5",
        f"  caput {prefix}Wr1:NumImages 20",
        f"  caput -c -w 60 {prefix}Wr1:Start 1",
        "  # HTTP: the same; wait follows it to the end",
        f"  curl {url}/state",
        f"  curl -X PATCH {json} '{wanted}' {url}/parameters",
        f"  curl -X POST {json} '{{\"wait\": 60}}' {url}/commands/writers.{WRITER}.start",
        "  # the live streams, and the engine itself",
        f"  repstream consume tcp://127.0.0.1:{chosen.streams[1]} --mode sub",
        f"  repstream status --address {reachable(stack.engine_address)}",
        "",
    ]
