"""The second output of a camera (key `forwarder_port`): its image alone, pushed."""

from __future__ import annotations

import time
from typing import Any

import zmq

from repstream.dataplane.outputs import StreamOutput
from repstream.dataplane.transport import open_transport
from repstream.errors import InvalidValue, Refused
from repstream.messages.bsread_header import Compression
from repstream.parameters.stream import StreamConfig
from repstream.pipelines.messages import Encoder, Made
from repstream.policies.slow_consumer import SlowRule


class Forwarder:
    """Sends the image of each message as the channel ``<camera>:FPICTURE``; use it from one thread.

    Who is slow loses the oldest images; nothing is sent, nor lost, while nobody is there. Raises
    `InvalidValue` for a port that cannot be had. It is encrypted with the key of the camera's stream.
    """

    def __init__(
        self,
        camera: str,
        port: int,
        queue_size: int,
        packing: Compression,
        context: zmq.Context[Any],
        *,
        curve_key: str = "",
        curve_peers: str = "",
    ) -> None:
        self.port = port
        self._channel = f"{camera}:FPICTURE"
        self.pack(packing)
        address = f"tcp://*:{port}"
        fields = {
            "address": address,
            "mode": "PUSH",
            "on_slow": SlowRule.DROP_OLDEST,
            "buffer_size": queue_size,
            "curve_key": curve_key,
            "curve_peers": curve_peers,
        }
        config = StreamConfig.model_validate(fields)
        try:
            transport = open_transport("forwarder", config, context)
        except Refused as error:
            raise InvalidValue("forwarder_port", f"port {port} is taken: {error.reason}") from error
        self._output = StreamOutput("forwarder", config, transport)

    @property
    def clients(self) -> int:
        """Those who are connected."""
        return self._output.transport.consumers

    @property
    def lost(self) -> int:
        """Images that found no room."""
        return sum(self._output.ledger.dropped.values())

    def pack(self, packing: Compression) -> None:
        """Compress images so from now on."""
        self._encoder = Encoder(image_packing=packing)

    def offer(self, made: Made) -> None:
        """Send the image of a message, or have it wait."""
        if not self.clients:
            return
        image = Made(made.pulse_id, made.timestamp, {self._channel: made.channels["image"]})
        self._output.offer(self._encoder.frame(image), time.monotonic())
        self._output.drain()

    def tick(self) -> None:
        """Follow who comes and goes, and send what waits."""
        self._output.watch()
        self._output.drain()

    def close(self) -> None:
        self._output.give_up()
        self._output.close(0)
