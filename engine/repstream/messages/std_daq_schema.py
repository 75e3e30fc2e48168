"""The protobuf messages of the standard DAQ's services (package std_daq_protocol, proto3), as classes.

Field numbers, types and the names of enum values are those of the standard DAQ; the names of
messages and enums never come over the wire and are ours. The classes are made here, when the
module is imported, in a pool of their own: they do not meet those of another package of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "std_daq_protocol"

ENUMS: Mapping[str, Mapping[str, int]] = {
    "Dtype": {
        "unknown": 0,
        "uint8": 1,
        "uint16": 2,
        "uint32": 4,
        "uint64": 8,
        "int8": 11,
        "int16": 12,
        "int32": 14,
        "int64": 18,
        "float16": 22,
        "float32": 24,
        "float64": 28,
    },
    "Status": {"undefined": 0, "good_image": 1, "missing_packets": 2, "id_missmatch": 3},
    "Compression": {"none": 0, "h5bitshuffle_lz4": 1, "blosc2": 2},
    "Code": {"UNKNOWN": 0, "SUCCESS": 1, "FAILURE": 2},
}
"""Numbers of enum values by name, as the standard DAQ spells them."""

_Field = tuple[int, str]

_MESSAGES: Mapping[str, Mapping[str, _Field | Mapping[str, _Field]]] = {
    "GigaFrost": {
        "scan_id": (1, "uint32"),
        "scan_time": (2, "uint32"),
        "sync_time": (3, "uint32"),
        "frame_timestamp": (4, "uint64"),
        "exposure_time": (5, "uint64"),
        "store_image": (6, "bool"),
    },
    "Jungfrau": {"daq_rec": (1, "uint64")},
    "Eiger": {"exptime": (1, "uint64")},
    "Pco": {
        "global_timestamp_sec": (1, "uint64"),
        "global_timestamp_ns": (2, "uint64"),
        "bsread_name": (3, "string"),
    },
    "ImageMetadata": {
        "image_id": (1, "uint64"),
        "height": (2, "uint64"),
        "width": (3, "uint64"),
        "size": (4, "uint64"),
        "dtype": (5, "Dtype"),
        "status": (6, "Status"),
        "compression": (7, "Compression"),
        "detector": {
            "gf": (8, "GigaFrost"),
            "jf": (9, "Jungfrau"),
            "eg": (10, "Eiger"),
            "pco": (11, "Pco"),
        },
    },
    "CreateFile": {"path": (1, "string"), "writer_id": (2, "int32")},
    "RecordImage": {"image_metadata": (1, "ImageMetadata")},
    "CloseFile": {},
    "ConfirmLastImage": {},
    "WriterAction": {
        "action": {
            "create_file": (1, "CreateFile"),
            "record_image": (2, "RecordImage"),
            "close_file": (3, "CloseFile"),
            "confirm_last_image": (4, "ConfirmLastImage"),
        },
    },
    "WriterResponse": {"code": (1, "Code"), "reason": (2, "string")},
}
"""Number and type of each field; a mapping in place of them is a oneof."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for label, number in values.items():
            enum.value.add(name=label, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for label, field in fields.items():
            if isinstance(field, tuple):
                _add(message, label, field)
                continue
            message.oneof_decl.add(name=label)
            for member, kind in field.items():
                _add(message, member, kind).oneof_index = len(message.oneof_decl) - 1
    return file


def _add(message: Any, name: str, field: _Field) -> Any:
    number, kind = field
    proto = descriptor_pb2.FieldDescriptorProto
    added = message.field.add(name=name, number=number, label=proto.LABEL_OPTIONAL)
    if kind in ENUMS or kind in _MESSAGES:
        added.type = proto.TYPE_ENUM if kind in ENUMS else proto.TYPE_MESSAGE
        added.type_name = f".{_PACKAGE}.{kind}"
    else:
        added.type = proto.Type.Value(f"TYPE_{kind.upper()}")
    return added


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


ImageMetadata = _class("ImageMetadata")
WriterAction = _class("WriterAction")
WriterResponse = _class("WriterResponse")
