"""A format of one's own, beside those that are known: ``python mflow_own_format.py``."""

import json
import struct

from repstream import mflow


class Position:
    """A header and three doubles in metres."""

    @staticmethod
    def receive(receiver):
        return {"header": receiver.next(as_json=True), "position": struct.unpack("<3d", receiver.next())}

    @staticmethod
    def send(message, send, block=True):
        send(json.dumps(message["header"]).encode(), send_more=True, block=block)
        send(struct.pack("<3d", *message["position"]), block=block)


mflow.handlers["position-1.0"] = Position  # for all streams; for one: stream.handlers["position-1.0"]

sender = mflow.connect("tcp://127.0.0.1:*", conn_type=mflow.BIND, mode=mflow.PUSH)
receiver = mflow.connect(sender.socket.last_endpoint.decode(), receive_timeout=30_000)
sender.forward({"header": {"htype": "position-1.0"}, "position": (0.1, 0.2, 0.3)})
print(receiver.receive().data["position"])
sender.disconnect()
receiver.disconnect()
