"""One file of 20 images through Tango: ``python tango_script.py FOLDER [DEVICE]``."""

import sys
import time

import tango

folder = sys.argv[1]
device = [*sys.argv, "tango://127.0.0.1:9601/repstream/writer/1#dbase=no"][2]

writer = tango.DeviceProxy(device)
writer.OutputFile = f"{folder}/from_tango.h5"
writer.NumImages = 20
writer.Start()
while writer.State() == tango.DevState.RUNNING:
    time.sleep(0.1)
if writer.StartResult.name != "completed":
    sys.exit(writer.StartMessage)
print(f"{writer.FullFileName}: {writer.NumWritten} images. {writer.AcqMessage}")
