"""areaDetector's PVs, one row each: PVs, documentation and tests are made from this table.

Names, types and enum strings are those of ADCore's templates NDArrayBase, ADBase, NDPluginBase, NDFile
and NDFileHDF5; ophyd-async compares the strings and refuses to connect where one differs.
"""

from __future__ import annotations

from repstream.version import __version__
from repstream_epics.areadetector import conversions as c
from repstream_epics.areadetector.rows import Action, Counted, Fixed, Form, Kept, Row, Type
from repstream_epics.types import LONG_MAX

CAM, HDF = "cam1:", "HDF1:"
PORT, PLUGIN_PORT = "REPSTREAM", "REPSTREAM.HDF1"
NUM_IMAGES, IMAGE_MODE = f"{CAM}NumImages", f"{CAM}ImageMode"
WAIT_FOR_PLUGINS = f"{CAM}WaitForPlugins"

DONE_ACQUIRE, DONE_ACQUIRING = ("Done", "Acquire"), ("Done", "Acquiring")
DONE_CAPTURE, DONE_CAPTURING = ("Done", "Capture"), ("Done", "Capturing")
DISABLE_ENABLE, OFF_ON, NO_YES = ("Disable", "Enable"), ("Off", "On"), ("No", "Yes")
IMAGE_MODES = ("Single", "Multiple", "Continuous")
COLOR_MODES = ("Mono", "Bayer", "RGB1", "RGB2", "RGB3", "YUV444", "YUV422", "YUV421")
COMPRESSIONS = ("None", "N-bit", "szip", "zlib", "Blosc", "BSLZ4", "LZ4", "JPEG")
DETECTOR_STATES = (
    "Idle",
    "Acquire",
    "Readout",
    "Correct",
    "Saving",
    "Aborting",
    "Error",
    "Waiting",
    "Initializing",
    "Disconnected",
    "Aborted",
)
WRITE_STATUS = ("Write OK", "Write error")

_W = c.WRITER
_READ, _SET = Form.READBACK, Form.SETPOINT


def kept_switch(name: str, title: str, default: str, strings: tuple[str, str]) -> Row:
    """A switch that areaDetector has and the engine only keeps."""
    return Row(name, title, Type.SWITCH, Kept(default), strings=strings)


def kept_number(name: str, title: str, default: int, low: float = 0, high: float = LONG_MAX) -> Row:
    """A number that areaDetector has and the engine only keeps."""
    return Row(name, title, Type.LONG, Kept(default, low, high))


def arrays(
    group: str, port: str, count: str, of: str = "source.", has_setpoints: bool = True
) -> tuple[Row, ...]:
    """What the driver and all plugins have alike: the image, and counters.

    `of`: the keys that have the id, time and rate of the last image begin so.
    `has_setpoints`: ophyd-async connects to the setpoints of a plugin's sizes too.
    """
    size = Form.PAIR if has_setpoints else _READ
    unique_id, rate = (
        ("source.last_frame_id", "source.rate") if of == "source." else (f"{of}image_id", f"{of}picture_rate")
    )
    time = "source.last_frame_time" if of == "source." else f"{of}image_time"
    return (
        Row(f"{group}PortName", "Name of the port", Type.STRING, Fixed(port), _READ),
        Row(f"{group}ArrayCounter", "Frames", Type.LONG, Counted(count)),
        Row(f"{group}ArrayRate", "Frame rate", Type.DOUBLE, c.text(rate), _READ, unit="Hz"),
        Row(f"{group}UniqueId", "Id of the last frame", Type.LONG, c.number(unique_id), _READ),
        Row(f"{group}TimeStamp", "Time of the last frame", Type.DOUBLE, c.epics_time(time), _READ, unit="s"),
        Row(
            f"{group}EpicsTSSec", "The same, whole seconds", Type.LONG, c.epics_seconds(time), _READ, unit="s"
        ),
        Row(
            f"{group}EpicsTSNsec",
            "The same, the rest",
            Type.LONG,
            c.epics_nanoseconds(time),
            _READ,
            unit="ns",
        ),
        Row(f"{group}ArraySizeX", "Image width", Type.LONG, c.image_size("width"), _READ),
        Row(f"{group}ArraySizeY", "Image height", Type.LONG, c.image_size("height"), _READ),
        Row(f"{group}ArraySizeZ", "Colours of an image", Type.LONG, Fixed(0), _READ),
        Row(f"{group}ArraySize0", "Image width", Type.LONG, c.image_size("width"), size, shown=True),
        Row(f"{group}ArraySize1", "Image height", Type.LONG, c.image_size("height"), size, shown=True),
        Row(f"{group}ArraySize2", "Third dimension", Type.LONG, Fixed(0), _READ),
        Row(f"{group}NDimensions", "Number of dimensions", Type.LONG, Fixed(2)),
        Row(f"{group}ColorMode", "Colour mode", Type.CHOICE, Fixed("Mono"), _READ, COLOR_MODES),
        Row(f"{group}NDAttributesFile", "XML of attributes", Type.CHARS, Kept(""), _SET, length=1024),
        Row(f"{group}NDAttributesMacros", "Macros for it", Type.CHARS, Kept(""), _SET, length=1024),
        Row(f"{group}ADCoreVersion", "ADCore's version", Type.STRING, Fixed("3.13.0"), _READ),
        Row(f"{group}DriverVersion", "Version of repstream", Type.STRING, Fixed(__version__), _READ),
    )


def plugin(group: str, type_name: str, of: str = PORT) -> tuple[Row, ...]:
    """What all plugins have alike: where their images come from."""
    return (
        Row(f"{group}NDArrayPort", "Port of the images", Type.STRING, Fixed(of)),
        kept_number(f"{group}NDArrayAddress", "Address of the images", 0),
        Row(f"{group}PluginType", "Type of the plugin", Type.STRING, Fixed(type_name), _READ),
        kept_switch(f"{group}BlockingCallbacks", "Blocking", "No", NO_YES),
    )


DRIVER = (
    Row(
        f"{CAM}Acquire",
        "Take images",
        Type.SWITCH,
        Action.ACQUIRE,
        strings=DONE_ACQUIRE,
        readback_strings=DONE_ACQUIRING,
    ),
    Row(IMAGE_MODE, "How many images", Type.CHOICE, Kept("Single"), strings=IMAGE_MODES),
    kept_number(NUM_IMAGES, "Images per Acquire", 1),
    Row(f"{CAM}AcquireTime", "Exposure time", Type.DOUBLE, Kept(0.0, 0, 1e9), unit="s"),
    Row(f"{CAM}AcquirePeriod", "Exposure period", Type.DOUBLE, Kept(0.0, 0, 1e9), unit="s"),
    Row(f"{CAM}TriggerMode", "Trigger", Type.CHOICE, Kept("Internal"), strings=("Internal", "External")),
    kept_number(f"{CAM}NumExposures", "Exposures per image", 1, 1),
    kept_switch(f"{CAM}ArrayCallbacks", "Hand on images", "Enable", DISABLE_ENABLE),
    Row(
        f"{CAM}DetectorState",
        "State",
        Type.CHOICE,
        Action.DETECTOR_STATE,
        _READ,
        DETECTOR_STATES,
    ),
    Row(f"{CAM}StatusMessage", "Why", Type.CHARS, Action.STATUS_MESSAGE, _READ, length=1024),
    Row(WAIT_FOR_PLUGINS, "Wait for the writer", Type.SWITCH, Kept("No"), _SET, NO_YES),
    Row(f"{CAM}DataType", "Pixel type", Type.CHOICE, c.DATA_TYPE, strings=c.DATA_TYPES),
    Row(f"{CAM}ArraySize", "Pixels of an image", Type.LONG, c.image_size("width", "height"), _READ),
    Row(f"{CAM}MaxSizeX", "Sensor width", Type.LONG, c.image_size("width"), _READ),
    Row(f"{CAM}MaxSizeY", "Sensor height", Type.LONG, c.image_size("height"), _READ),
    Row(f"{CAM}SizeX", "Width of what is read out", Type.LONG, c.demanded_size("width")),
    Row(f"{CAM}SizeY", "Height of what is read out", Type.LONG, c.demanded_size("height")),
    Row(f"{CAM}MinX", "First column that is read out", Type.LONG, Fixed(0)),
    Row(f"{CAM}MinY", "First row that is read out", Type.LONG, Fixed(0)),
    Row(f"{CAM}BinX", "Columns taken together", Type.LONG, Fixed(1)),
    Row(f"{CAM}BinY", "Rows taken together", Type.LONG, Fixed(1)),
    Row(f"{CAM}Gain", "Gain", Type.DOUBLE, Kept(1.0, 0, 1e9)),
    Row(
        f"{CAM}AcquireBusy",
        "Images are being taken",
        Type.SWITCH,
        Action.ACQUIRE_BUSY,
        _SET,
        DONE_ACQUIRING,
        shown=True,
    ),
    Row(f"{CAM}NumImagesCounter", "Images taken", Type.LONG, Action.NUM_IMAGES_COUNTER, _READ),
    Row(
        f"{CAM}UniqueIdMode",
        "Who numbers the frames",
        Type.CHOICE,
        Fixed("Camera"),
        strings=("Camera", "Driver"),
    ),
    Row(f"{CAM}PoolUsedMem", "Memory of queued frames", Type.DOUBLE, c.QUEUED_MEMORY, _READ, unit="MB"),
    Row(f"{CAM}Manufacturer", "Manufacturer", Type.STRING, Fixed("repstream"), _READ),
    Row(f"{CAM}Model", "Model", Type.STRING, Fixed("ZMQ stream"), _READ),
    Row(f"{CAM}SerialNumber", "Serial number", Type.STRING, Fixed(""), _READ),
    Row(f"{CAM}SDKVersion", "Version of the SDK", Type.STRING, Fixed(""), _READ),
    Row(f"{CAM}FirmwareVersion", "Version of the firmware", Type.STRING, Fixed(""), _READ),
    *arrays(CAM, PORT, "source.received", has_setpoints=False),
)

PLUGIN = (
    Row(f"{HDF}FilePath", "Folder", Type.CHARS, c.FILE_PATH, length=513),
    Row(f"{HDF}FilePathExists", "Folder exists", Type.SWITCH, c.FILE_PATH_EXISTS, _READ, NO_YES),
    Row(f"{HDF}CreateDirectory", "Folders to create", Type.LONG, c.same(f"{_W}create_directory")),
    Row(f"{HDF}FileName", "File name", Type.CHARS, c.same(f"{_W}file_name"), length=256),
    Row(f"{HDF}FileTemplate", "C format of the name", Type.CHARS, c.same(f"{_W}file_template"), length=256),
    Row(f"{HDF}FileNumber", "Number of the next file", Type.LONG, c.same(f"{_W}file_number")),
    Row(
        f"{HDF}AutoIncrement",
        "Raise the number",
        Type.SWITCH,
        c.switch(f"{_W}auto_increment", NO_YES),
        strings=NO_YES,
    ),
    Row(f"{HDF}FullFileName", "File", Type.CHARS, c.text(f"{_W}full_file_name"), _READ, length=1024),
    Row(
        f"{HDF}FileWriteMode",
        "How files are written",
        Type.CHOICE,
        Kept("Stream"),
        strings=("Single", "Capture", "Stream"),
    ),
    Row(f"{HDF}NumCapture", "Images in the file", Type.LONG, c.same(f"{_W}num_images"), tolerant=True),
    Row(
        f"{HDF}NumCaptured",
        "Images that can be read",
        Type.LONG,
        c.number(f"{_W}num_written"),
        _READ,
        tolerant=True,
    ),
    Row(
        f"{HDF}Capture",
        "Write a file",
        Type.SWITCH,
        Action.CAPTURE,
        strings=DONE_CAPTURE,
        readback_strings=DONE_CAPTURING,
    ),
    Row(f"{HDF}WriteStatus", "Outcome", Type.CHOICE, Action.WRITE_STATUS, _SET, WRITE_STATUS, shown=True),
    Row(f"{HDF}WriteMessage", "Why", Type.CHARS, Action.WRITE_MESSAGE, _SET, length=1024, shown=True),
    Row(f"{HDF}FlushNow", "Flush", Type.SWITCH, Action.FLUSH, _SET, ("Done", "Flush")),
    kept_switch(f"{HDF}AutoSave", "Save each image", "No", NO_YES),
    Row(
        f"{HDF}EnableCallbacks",
        "Take frames",
        Type.SWITCH,
        c.switch(f"{_W}enable", DISABLE_ENABLE),
        strings=DISABLE_ENABLE,
    ),
    *plugin(HDF, "NDFileHDF5"),
    Row(f"{HDF}DataType", "Pixel type", Type.CHOICE, c.DATA_TYPE, _READ, c.DATA_TYPES),
    kept_switch(f"{HDF}SWMRMode", "Readable while written", "On", OFF_ON),
    Row(
        f"{HDF}SWMRActive",
        "Readable now",
        Type.SWITCH,
        c.when((c.STATE, c.ACQUISITION), c.is_capturing, ("Off", "Active")),
        _READ,
        ("Off", "Active"),
    ),
    Row(
        f"{HDF}SWMRSupported",
        "Readable while written",
        Type.SWITCH,
        Fixed("Supported"),
        _READ,
        ("Not Supported", "Supported"),
    ),
    kept_switch(f"{HDF}LazyOpen", "Open with the first image", "No", NO_YES),
    kept_switch(f"{HDF}PositionMode", "Position mode", "Off", OFF_ON),
    kept_switch(f"{HDF}ChunkSizeAuto", "Chunks by itself", "Yes", NO_YES),
    Row(f"{HDF}NumFramesChunks", "Frames of a chunk", Type.LONG, Fixed(1)),
    Row(f"{HDF}NumExtraDims", "Further dimensions", Type.LONG, Fixed(0)),
    Row(f"{HDF}XMLFileName", "XML of the layout", Type.CHARS, Kept(""), length=2048),
    Row(f"{HDF}Compression", "Compression", Type.CHOICE, c.COMPRESSION, strings=COMPRESSIONS),
    Row(f"{HDF}QueueSize", "Length of the queue", Type.LONG, c.same(f"{_W}buffer_size")),
    Row(f"{HDF}QueueFree", "Free places of the queue", Type.LONG, c.QUEUE_FREE, _SET, shown=True),
    Row(
        f"{HDF}QueueUse",
        "Use of the queue",
        Type.DOUBLE,
        c.text(f"{_W}queue_use"),
        _SET,
        unit="%",
        shown=True,
    ),
    Row(f"{HDF}NumQueuedArrays", "Frames queued", Type.LONG, c.number(f"{_W}queued"), _SET, shown=True),
    Row(f"{HDF}DroppedArrays", "Frames lost", Type.LONG, Counted(f"{_W}dropped")),
    Row(f"{HDF}ExecutionTime", "Time of the present write", Type.DOUBLE, c.WRITE_TIME, _READ, unit="ms"),
    Row(f"{HDF}IOSpeed", "Written a second", Type.DOUBLE, c.IO_SPEED, _SET, unit="Mbit/s", shown=True),
    Row(f"{HDF}RunTime", "Time of the acquisition", Type.DOUBLE, c.RUN_TIME, _SET, unit="s", shown=True),
    Row(f"{HDF}TempSuffix", "Suffix while written", Type.CHARS, Fixed(""), length=64),
    # It must stand still between acquisitions: ophyd sets it, and waits until it reads so.
    *arrays(HDF, PLUGIN_PORT, f"{_W}sent"),
)
