"""Messages between the service and its data plane.

The service asks (`Request`), the data plane answers each with one `Answer`, and reports on its own
how it fares (`Notice`). Both ends notice the death of the other by the end of the pipe.
"""

from repstream.dataplane.control.notice import (
    AcquisitionNotice,
    Adopted,
    Answer,
    Beat,
    Closed,
    FirstNotice,
    GateNotice,
    Note,
    Notice,
    Told,
)
from repstream.dataplane.control.report import (
    CALL_BOUNDS,
    Call,
    CallReport,
    Opening,
    ReceiverReport,
    Report,
    SourceReport,
    StreamReport,
    WriterReport,
)
from repstream.dataplane.control.request import (
    AcquisitionPlan,
    Adopt,
    Arm,
    Bye,
    Close,
    End,
    Flush,
    Open,
    OpenGate,
    Request,
    Settle,
    ShutGate,
    Update,
)
from repstream.dataplane.control.wire import encode, notices, requests

__all__ = [
    "CALL_BOUNDS",
    "AcquisitionNotice",
    "AcquisitionPlan",
    "Adopt",
    "Adopted",
    "Answer",
    "Arm",
    "Beat",
    "Bye",
    "Call",
    "CallReport",
    "Close",
    "Closed",
    "End",
    "FirstNotice",
    "Flush",
    "GateNotice",
    "Note",
    "Notice",
    "Open",
    "OpenGate",
    "Opening",
    "ReceiverReport",
    "Report",
    "Request",
    "Settle",
    "ShutGate",
    "SourceReport",
    "StreamReport",
    "Told",
    "Update",
    "WriterReport",
    "encode",
    "notices",
    "requests",
]
