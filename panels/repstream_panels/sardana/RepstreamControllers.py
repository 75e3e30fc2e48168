"""Sardana controllers of a repstream server: a writer as a 2D channel, profiles and numbers of a picture.

A Pool loads this file by its property PoolPath; beside Sardana it needs pytango only, not repstream.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import tango
from sardana import State
from sardana.pool.controller import (
    DefaultValue,
    Description,
    Memorize,
    Memorized,
    OneDController,
    Referable,
    TwoDController,
    Type,
    ZeroDController,
)

WRITER = {"Writer": {Type: str, Description: "Tango device of the writer, class HDF5Writer."}}
REPEATER = {"Repeater": {Type: str, Description: "Tango device of the repeater, class RepStream."}}
SCHEME, DATASET = "h5file://", "/entry/data/data"
FIRST_PROFILE = "Pictures1ProfileX"
PROFILE = re.compile(r"Pictures\d+Profile[XY]")
ENDED_WELL, GOING_ON = "completed", ("accepted", "unknown")


class RepstreamWriterController(TwoDController, Referable):
    """Writes a file for each point of a scan; the point's reference names file and dataset.

    Axis 1 is the writer. A point has `ImagesPerPoint` images, the next ones that arrive. `ValueRefPattern`,
    such as ``h5file:///data/run1/img_{index:04d}.h5``, names the files; where it is empty the writer's own
    settings do. A start that the engine refuses, and a file that is not complete, fail the scan.
    """

    gender, model, organization = "Detector writer", "repstream", "repstream"
    MaxDevice = 1
    ctrl_properties: ClassVar[dict[str, Any]] = WRITER | REPEATER
    axis_attributes: ClassVar[dict[str, Any]] = {
        "ImagesPerPoint": {
            Type: int,
            Description: "Images in the file of a point.",
            DefaultValue: 1,
            Memorize: Memorized,
        },
    }

    def __init__(self, inst: str, props: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(inst, props, *args, **kwargs)
        self._writer = tango.DeviceProxy(self.Writer)
        self._repeater = tango.DeviceProxy(self.Repeater)
        self._images, self._index = 1, 0
        self._pattern, self._id = "", ""

    def PrepareOne(self, axis: int, value: float, repetitions: int, latency: float, nb_starts: int) -> None:
        """A scan begins; what became of the one before does not count."""
        self._index, self._id = 0, ""

    def LoadOne(self, axis: int, integ_time: float, repetitions: int, latency_time: float) -> None:
        """A point is next."""
        self._id = ""
        self._writer.write_attribute("NumImages", self._images * repetitions)
        if self._pattern:
            path = self._pattern.removeprefix(SCHEME).partition("::")[0]
            self._writer.write_attribute("OutputFile", path.format(index=self._index))

    def StartOne(self, axis: int, value: float) -> None:
        """Raises what the engine refuses, with its reason."""
        self._id = self._writer.command_inout("Start")
        self._index += 1

    def StateOne(self, axis: int) -> tuple[Any, str]:
        """Moving until the file is closed; Fault where it is not what was asked for."""
        device_state = self._writer.State()
        if device_state == tango.DevState.RUNNING:
            return State.Moving, self._writer.Status()
        if self._id:
            result, message = self._outcome()
            if result in GOING_ON:
                return State.Moving, self._writer.Status()
            if result != ENDED_WELL:
                return State.Fault, message
        return State.On, "ready"

    def ReadOne(self, axis: int) -> Any:
        """Images are read from the files; a channel without references has none."""
        raise RuntimeError("the images are in files: set ValueRefEnabled of the channel")

    def RefOne(self, axis: int) -> str:
        """File and dataset of the point; raises where the file is not complete."""
        result, message = self._outcome()
        if result != ENDED_WELL:
            raise RuntimeError(message)
        return f"{SCHEME}{self._file()}::{DATASET}"

    def StopOne(self, axis: int) -> None:
        self._writer.command_inout("Stop")

    def AbortOne(self, axis: int) -> None:
        self._writer.command_inout("Abort")

    def GetAxisPar(self, axis: int, parameter: str) -> Any:
        if parameter == "shape":
            names = ("SourceSeenHeight", "SourceSeenWidth")
            return [int(read.value or 0) for read in self._repeater.read_attributes(names)]
        return None

    def SetAxisPar(self, axis: int, parameter: str, value: Any) -> None:
        if parameter == "value_ref_pattern":
            if value and not value.startswith(SCHEME):
                raise ValueError(
                    f"{value!r} must begin with {SCHEME}, such as h5file:///data/img_{{index:04d}}.h5"
                )
            self._pattern = value

    def GetAxisExtraPar(self, axis: int, parameter: str) -> Any:
        return self._images

    def SetAxisExtraPar(self, axis: int, parameter: str, value: Any) -> None:
        if value < 1:
            raise ValueError(f"ImagesPerPoint {value} refused: must be 1 or more; it stays {self._images}")
        self._images = value

    def _outcome(self) -> tuple[str, str]:
        """What became of the start of this point, and that as a sentence."""
        if not self._id:
            return "none", "no point was started yet"
        names = ("StartId", "StartResult", "StartMessage")
        started, result, message = (read.value for read in self._writer.read_attributes(names))
        if started != self._id:
            return "lost", f"another client started an acquisition ({started}) before this point ended"
        word = str(self._writer.get_attribute_config("StartResult").enum_labels[int(result)])
        return word, f"{word}: {message}"

    def _file(self) -> str:
        """The file of this point, also where somebody else has begun the next one."""
        for which in ("", "Previous"):
            names = (f"{which}AcquisitionId", f"{which}FullFileName")
            acquisition, file = (read.value for read in self._writer.read_attributes(names))
            if acquisition == self._id:
                return str(file)
        raise RuntimeError(f"the writer knows the file of acquisition {self._id} no longer")


def _source_attribute(example: str, default: str) -> dict[str, Any]:
    return {
        "SourceAttribute": {
            Type: str,
            Description: f"Attribute of the repeater, such as {example}.",
            DefaultValue: default,
            Memorize: Memorized,
        }
    }


class _AttributeAxes:
    """Each axis has the name of an attribute of the repeater."""

    _repeater: Any
    _names: dict[int, str]
    _first_name = ""

    def AddDevice(self, axis: int) -> None:
        self._names[axis] = self._first_name

    def DeleteDevice(self, axis: int) -> None:
        del self._names[axis]

    def GetAxisExtraPar(self, axis: int, parameter: str) -> str:
        return self._names[axis]

    def SetAxisExtraPar(self, axis: int, parameter: str, value: str) -> None:
        if value:
            self._repeater.get_attribute_config(value)  # raises where there is no such attribute
        self._names[axis] = value


class RepstreamProfilesController(_AttributeAxes, OneDController):
    """Shows profiles of a picture as 1D channels: the sums of its columns or rows.

    Each axis has the name of an attribute of the repeater, such as ``Pictures1ProfileX``. A point is of the
    first picture that comes after it began; it ends with that.
    """

    gender, model, organization = "Profiles of images", "repstream", "repstream"
    MaxDevice = 16
    ctrl_properties: ClassVar[dict[str, Any]] = REPEATER
    axis_attributes: ClassVar[dict[str, Any]] = _source_attribute(FIRST_PROFILE, FIRST_PROFILE)
    _first_name = FIRST_PROFILE

    def __init__(self, inst: str, props: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(inst, props, *args, **kwargs)
        self._repeater = tango.DeviceProxy(self.Repeater)
        self._names: dict[int, str] = {}
        self._before: dict[int, Any] = {}
        self._profiles: dict[int, Any] = {}

    def LoadOne(self, axis: int, integ_time: float, repetitions: int, latency_time: float) -> None:
        """A point is next; the picture decides how long it takes."""

    def StartOne(self, axis: int, value: float) -> None:
        """Wait for another picture than the one that is there."""
        self._before[axis] = self._look(axis)[0]
        self._profiles.pop(axis, None)

    def StateOne(self, axis: int) -> tuple[Any, str]:
        """Moving until a picture has come; Fault where none can."""
        if axis not in self._before:
            return State.On, self._names[axis]
        shown, profile = self._look(axis)
        if shown is not None and shown != self._before[axis]:
            self._profiles[axis] = profile
            del self._before[axis]
            return State.On, self._names[axis]
        if self._repeater.State() not in (tango.DevState.RUNNING, tango.DevState.ALARM):
            del self._before[axis]
            return State.Fault, self._repeater.Status()
        return State.Moving, "waits for a picture"

    def ReadOne(self, axis: int) -> Any:
        """The profile of the point; raises where there is none."""
        if axis not in self._profiles:
            raise RuntimeError(f"no picture has come for {self._names[axis]}")
        return self._profiles[axis]

    def StopOne(self, axis: int) -> None:
        self._before.pop(axis, None)

    def AbortOne(self, axis: int) -> None:
        self._before.pop(axis, None)

    def GetAxisPar(self, axis: int, parameter: str) -> Any:
        if parameter == "shape":
            profile = self._look(axis)[1]
            return [0 if profile is None else len(profile)]
        return None

    def SetAxisExtraPar(self, axis: int, parameter: str, value: str) -> None:
        if not PROFILE.fullmatch(value):
            raise ValueError(f"SourceAttribute {value!r} refused: must be such as Pictures1ProfileX")
        super().SetAxisExtraPar(axis, parameter, value)

    def _look(self, axis: int) -> tuple[Any, Any]:
        """Id and profile of the picture that is shown, read together; None where there is none."""
        name = self._names[axis]
        picture = name[: name.rindex("Profile")]
        shown, profile = self._repeater.read_attributes([f"{picture}ShownId", name])
        return shown.value, profile.value


class RepstreamNumbersController(_AttributeAxes, ZeroDController):
    """Shows numbers that the engine counts in images, such as sums of regions, as 0D channels.

    Each axis has the name of an attribute of the repeater, such as ``Pictures1Roi1Sum``. Sardana samples it
    while a point is measured and takes the mean (`CumulationType`).
    """

    gender, model, organization = "Numbers of images", "repstream", "repstream"
    MaxDevice = 64
    ctrl_properties: ClassVar[dict[str, Any]] = REPEATER
    axis_attributes: ClassVar[dict[str, Any]] = _source_attribute("Pictures1Roi1Sum", "")

    def __init__(self, inst: str, props: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(inst, props, *args, **kwargs)
        self._repeater = tango.DeviceProxy(self.Repeater)
        self._names: dict[int, str] = {}

    def StateOne(self, axis: int) -> tuple[Any, str]:
        return State.On, self._names[axis]

    def ReadOne(self, axis: int) -> float:
        name = self._names[axis]
        if not name:
            raise RuntimeError(f"axis {axis} has no SourceAttribute yet, such as Pictures1Roi1Sum")
        read = self._repeater.read_attribute(name)
        if read.value is None:
            raise RuntimeError(f"{name} has no value now: {self._repeater.Status()}")
        return float(read.value)
