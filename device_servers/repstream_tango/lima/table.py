"""Lima's attributes, one row each: attributes, documentation and tests are made from this table.

Names, types and words are those of the device class LimaCCDs of Lima 1.10.
"""

from __future__ import annotations

from tango import CmdArgType

from repstream.version import __version__
from repstream_tango.lima import conversions as c
from repstream_tango.lima.rows import Course, Fixed, Kept, Row

TEXT, LONG, DOUBLE, BOOL = (
    CmdArgType.DevString,
    CmdArgType.DevLong,
    CmdArgType.DevDouble,
    CmdArgType.DevBoolean,
)

MOST_FRAMES = 2**31 - 1
NB_FRAMES, FRAMES_PER_FILE, SAVING_MODE = "acq_nb_frames", "saving_frame_per_file", "saving_mode"
PREFIX = "saving_prefix"
MANUAL, AUTO_FRAME = "MANUAL", "AUTO_FRAME"
TRIGGER_MODES = ("INTERNAL_TRIGGER", "EXTERNAL_TRIGGER", "EXTERNAL_TRIGGER_MULTI", "EXTERNAL_GATE")
"""Without INTERNAL_TRIGGER_MULTI: each start makes a file of its own, which Sardana then does too."""

_W = c.WRITER

ROWS = (
    Row("lima_type", "Type", TEXT, Fixed("repstream", settable=False)),
    Row("lima_version", "Version of repstream", TEXT, Fixed(__version__, settable=False)),
    Row("camera_type", "Type of the camera", TEXT, Fixed("repstream", settable=False)),
    Row("camera_model", "Model of the camera", TEXT, Fixed("ZMQ stream", settable=False)),
    Row("camera_pixelsize", "Size of a pixel", DOUBLE, c.PIXEL_SIZE, length=2, unit="m"),
    Row("user_detector_name", "Name of the detector", TEXT, c.same(f"{_W}detector_name")),
    Row("instrument_name", "Name of the instrument", TEXT, Kept("")),
    Row("acq_mode", "Kind of acquisition", TEXT, Fixed("SINGLE"), words=("SINGLE",)),
    Row(NB_FRAMES, "Images; 0: until stopped", LONG, c.same(f"{_W}num_images")),
    Row("acq_expo_time", "Exposure time", DOUBLE, Kept(1.0, 0, 1e9), unit="s"),
    Row("latency_time", "Time between exposures", DOUBLE, Kept(0.0, 0, 1e9), unit="s"),
    Row("acq_trigger_mode", "Trigger", TEXT, Kept(TRIGGER_MODES[0]), words=TRIGGER_MODES),
    Row("concat_nb_frames", "Frames of an image", LONG, Fixed(1)),
    Row("acq_status", "Acquisition", TEXT, Course.STATUS),
    Row("acq_status_fault_error", "Reason of a fault", TEXT, Course.FAULT),
    Row("ready_for_next_image", "Ready for an image", BOOL, Course.READY),
    Row("ready_for_next_acq", "Ready for an acquisition", BOOL, Course.READY),
    Row("last_image_acquired", "Last image taken", LONG, Course.LAST_ACQUIRED),
    Row("last_base_image_ready", "Last image before changes", LONG, Course.LAST_READY),
    Row("last_image_ready", "Last image to read", LONG, Course.LAST_READY),
    Row("last_image_saved", "Last image in the file", LONG, Course.LAST_SAVED),
    Row("last_counter_ready", "Last counter", LONG, Fixed(-1, settable=False)),
    Row("image_type", "Pixel type", TEXT, c.IMAGE_TYPE),
    Row("image_width", "Image width", LONG, c.WIDTH, unit="pixels"),
    Row("image_height", "Image height", LONG, c.HEIGHT, unit="pixels"),
    Row("image_sizes", "Sign, bytes, width, height", CmdArgType.DevULong, c.SIZES, length=4),
    Row("image_max_dim", "Sensor width, height", LONG, c.LARGEST, length=2, unit="pixels"),
    Row("image_roi", "Part that is read out", LONG, c.ROI, length=4, unit="pixels"),
    Row("image_bin", "Binning", LONG, Fixed((1, 1)), length=2),
    Row("image_flip", "Flip", BOOL, Fixed((False, False)), length=2),
    Row("image_rotation", "Rotation", TEXT, Fixed("NONE"), words=("NONE",)),
    Row(SAVING_MODE, "Saving", TEXT, Kept(MANUAL), words=(MANUAL, AUTO_FRAME)),
    Row("saving_directory", "Folder", TEXT, c.DIRECTORY),
    Row(PREFIX, "File name before the number", TEXT, c.same(f"{_W}file_name")),
    Row("saving_index_format", "C format of the number", TEXT, c.INDEX_FORMAT),
    Row("saving_suffix", "File name after the number", TEXT, c.SUFFIX),
    Row("saving_next_number", "Number of the next file", LONG, Course.NEXT_NUMBER),
    Row("saving_format", "Format", TEXT, c.FORMAT, words=tuple(c.FORMATS)),
    Row("saving_overwrite_policy", "Where a file exists", TEXT, c.POLICY, words=c.POLICIES),
    Row(FRAMES_PER_FILE, "Images of a file, at most", LONG, Kept(MOST_FRAMES, 1, MOST_FRAMES)),
    Row("saving_common_header", "Metadata of the file", TEXT, c.COMMON_HEADER, length=4096),
    Row("saving_header_delimiter", "Delimiters of headers", TEXT, Fixed(("=", "\n", ";")), length=3),
    Row("saving_managed_mode", "Who saves", TEXT, Fixed("SOFTWARE"), words=("SOFTWARE",)),
    Row("saving_max_writing_task", "Tasks that save", LONG, Kept(1, 1, MOST_FRAMES)),
    Row("video_live", "Live pictures", BOOL, Course.VIDEO),
    Row("video_active", "Pictures come", BOOL, c.VIDEO_ACTIVE),
    Row("video_exposure", "Exposure time of pictures", DOUBLE, Kept(1.0, 0, 1e9), unit="s"),
    Row("video_gain", "Gain of pictures", DOUBLE, Kept(1.0, 0, 1e9)),
    Row("video_last_image_counter", "Id of the last picture", CmdArgType.DevLong64, c.VIDEO_COUNTER),
)
