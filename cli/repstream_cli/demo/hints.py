"""What to try on the running demo, ready to be copied."""

from __future__ import annotations

from repstream_cli import reach
from repstream_cli.demo.setup import DemoOptions, Ports
from repstream_cli.ports import reachable
from repstream_cli.stack import Stack


def lines(stack: Stack, options: DemoOptions, chosen: Ports) -> list[str]:
    """Where everything is, and commands for another terminal."""
    assert stack.options.tango is not None and stack.options.epics is not None
    prefix = stack.options.epics.prefix
    environment = " ".join(f"{name}={value}" for name, value in reach.epics_environment(stack).items())
    url = reach.http_url(stack)
    streams = ", ".join(f"tcp://127.0.0.1:{port}" for port in chosen.streams)
    proxy = "import tango; w = tango.DeviceProxy('repstream/writer/1')"
    return [
        "Where everything is:",
        *(f"  {line}" for line in reach.lines(stack)),
        f"  streams {streams} (PUB)",
        f"  files   {options.folder}",
        "",
        "To try from another terminal (. .venv/bin/activate first):",
        "  # Tango: set the file and the number of images, start, look",
        f"  export TANGO_HOST={stack.options.tango.database}",
        f'  python -c "{proxy}; print(w.State(), w.NumWritten)"',
        f"  python -c \"{proxy}; w.OutputFile = '{options.folder}/mine.h5'; w.NumImages = 50; w.Start()\"",
        "  # EPICS",
        f"  export {environment}",
        f"  caget {prefix}State_RBV {prefix}Wr1:NumWritten_RBV {prefix}Src:Rate_RBV",
        f"  caput {prefix}Wr1:NumImages 20",
        f"  caput -c -w 60 {prefix}Wr1:Start 1        # returns when the file is closed",
        "  # HTTP",
        f"  curl {url}/api/v1/state",
        f"  curl -X PUT -H 'Content-Type: application/json' -d '{{\"value\": 30}}' "
        f"{url}/api/v1/parameters/writers.main.num_images",
        f"  curl -X POST -H 'Content-Type: application/json' -d '{{\"wait\": 60}}' "
        f"{url}/api/v1/commands/writers.main.start",
        "  # the live streams, and the engine itself",
        f"  repstream consume tcp://127.0.0.1:{chosen.streams[1]} --mode sub",
        f"  repstream status --address {reachable(stack.engine_address)}",
        "",
    ]
