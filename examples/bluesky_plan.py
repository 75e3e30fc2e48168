"""One file of 20 images in a fly plan of bluesky: ``python bluesky_plan.py FOLDER [ADDRESS]``.

Needs ``pip install repstream[ophyd]``. A file that cannot be made, or an acquisition that ends early, fails
the plan with the engine's reason.
"""

import sys

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky import RunEngine
from ophyd_async.core import StaticFilenameProvider, StaticPathProvider, TriggerInfo, init_devices

from repstream.ophyd import EngineDevice, Link, WriterDetector

folder, address = sys.argv[1], [*sys.argv, "tcp://127.0.0.1:9600"][2]

RE = RunEngine({})
link = Link(address)
paths = StaticPathProvider(StaticFilenameProvider("from_bluesky"), folder)
with init_devices():
    engine = EngineDevice(link)
    det = WriterDetector(link, paths, writer="main")


def first_image():
    """Documents state the size of the images, which is known from the first one on."""
    if (yield from bps.rd(engine.engine.state)) != "RUNNING":
        yield from bps.trigger(engine.engine.start, wait=True)
    while not (yield from bps.rd(engine.source.seen_height)):
        yield from bps.sleep(0.1)


@bpp.stage_decorator([det])
@bpp.run_decorator()
def fly(images):
    """Take images while something else moves; their documents come while they are written."""
    yield from bps.prepare(det, TriggerInfo(number_of_events=images), wait=True)
    yield from bps.declare_stream(det, name="main")
    yield from bps.kickoff(det, wait=True)
    yield from bps.collect_while_completing([det], [det], flush_period=0.5, stream_name="main")


RE(first_image())
RE(fly(20), lambda name, document: print(name, document.get("uri", "")))
written = link.read("writers.main.num_written").value
print(f"{link.read('writers.main.full_file_name').value}: {written} images.")
