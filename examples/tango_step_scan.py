"""A step scan of 4 points with 5 images each, in one file: ``python tango_step_scan.py FOLDER [DEVICE]``."""

import sys
import time

import tango

POINTS, IMAGES = 4, 5

folder = sys.argv[1]
device = [*sys.argv, "tango://127.0.0.1:9601/repstream/writer/1#dbase=no"][2]

writer = tango.DeviceProxy(device)
writer.OutputFile = f"{folder}/tango_scan.h5"
writer.NumImages = POINTS * IMAGES
writer.Arm()  # the file is there, and waits
for point in range(POINTS):
    print(f"point {point}: here the motor moves")
    writer.StartFrames(IMAGES)  # the gate is open when this returns, and shuts after so many images
    while writer.Gate.name == "open":
        time.sleep(0.02)
if writer.WaitFinished(2.0) != "completed":
    sys.exit(writer.StartMessage)
print(f"{writer.FullFileName}: {writer.NumWritten} images. {writer.AcqMessage}")
