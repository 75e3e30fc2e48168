"""One file of 20 images through Tango, by events: ``python tango_script.py FOLDER [DEVICE]``."""

import sys
from queue import Queue

import tango
from tango import EventType

folder = sys.argv[1]
device = [*sys.argv, "tango://127.0.0.1:9601/repstream/writer/1#dbase=no"][2]

writer = tango.DeviceProxy(device)
words = list(writer.get_attribute_config("StartResult").enum_labels)
results = Queue()


def show_progress(event):
    if not event.err:
        print(f"{event.attr_value.value} images are in the file")


def take_result(event):
    if not event.err:  # an error says that the server is away; pytango finds it again by itself
        results.put(words[event.attr_value.value])


writer.OutputFile = f"{folder}/from_tango.h5"
writer.NumImages = 20
acquisition = writer.Start()  # returns at once; DevFailed says why where it is refused
subscriptions = [
    writer.subscribe_event("NumWritten", EventType.CHANGE_EVENT, show_progress),
    writer.subscribe_event("StartResult", EventType.CHANGE_EVENT, take_result),
]
while (result := results.get()) in {"accepted", "unknown"}:
    pass
for subscription in subscriptions:
    writer.unsubscribe_event(subscription)

if writer.StartId != acquisition:
    sys.exit(f"another client has started {writer.StartId} meanwhile")
if result != "completed":
    sys.exit(writer.StartMessage)
print(f"{writer.FullFileName}: {writer.NumWritten} images. {writer.AcqMessage}")
