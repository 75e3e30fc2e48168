"""Updates on their way to clients: encoded once for all of them, in order, and bounded for each.

caproto has one queue for all clients and one for each, and encodes and checks each update for each client.
That was too slow for many clients, and one that stopped reading held up all others once its queue was full.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple

from caproto._utils import apply_arr_filter, apply_deadband_filter

_MOST, _MOST_BYTES = 16, 2**20
"""Updates of a PV that wait for one client, and their size; then the oldest is left out."""

_ID = slice(12, 16)
"""Where the number of the subscription stands in an update (Channel Access protocol, parameter 2)."""

_ENDIAN = ">" if sys.byteorder == "big" else "<"


class Backlog:
    """What one client has yet to be sent: the newest updates of each PV, all of them in order."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[int, bytes]] = {}
        self._numbers: defaultdict[int, deque[int]] = defaultdict(deque)
        self._next = 0

    def add(self, subscription: int, update: bytes, only_newest: bool = False) -> bool:
        """Put an update at the end; `only_newest`: in place of those of its subscription.

        Whether others were left out for it.
        """
        most = 1 if only_newest else max(1, min(_MOST, _MOST_BYTES // len(update)))
        numbers = self._numbers[subscription]
        too_many = len(numbers) >= most
        while len(numbers) >= most:
            del self._waiting[numbers.popleft()]
        numbers.append(self._next)
        self._waiting[self._next] = subscription, update
        self._next += 1
        return too_many

    def take(self, wanted: Mapping[int, Any]) -> bytes:
        """All that waits, of the subscriptions that are still `wanted`; nothing waits then."""
        taken = b"".join(update for number, update in self._waiting.values() if number in wanted)
        self._waiting.clear()
        self._numbers.clear()
        return taken


class Update(NamedTuple):
    """What a channel of caproto publishes; with `subscription` for that one only."""

    specs: Iterable[Any]
    metadata: Any
    values: Any
    flags: int
    subscription: Any


class Dispatch:
    """Stands where caproto has its queue of updates: hands each to its receivers at once.

    `subscriptions` by what they ask for, `last` the values that deadbands compare with; both are caproto's.
    """

    def __init__(self, subscriptions: Mapping[Any, Iterable[Any]], last: MutableMapping[Any, Any]) -> None:
        self._subscriptions = subscriptions
        self._last = last

    async def put(self, published: tuple[Any, ...]) -> None:
        update = Update(*published)
        for spec in update.specs:
            values = apply_arr_filter(spec.channel_filter.arr, update.values)
            encoded: dict[int, bytes] = {}
            one = update.subscription
            for subscription in self._subscriptions[spec] if one is None else (one,):
                if spec.channel_filter.dbnd is not None and not self._moved(subscription, values, update):
                    continue
                count = subscription.data_count or len(values)
                if count not in encoded:
                    encoded[count] = _encode(subscription, values[:count], count, update.metadata)
                number = subscription.subscriptionid
                whole = encoded[count]
                mine = b"".join((whole[: _ID.start], number.to_bytes(4, "big"), whole[_ID.stop :]))
                subscription.circuit.receive(number, mine)

    def _moved(self, subscription: Any, values: Any, update: Update) -> bool:
        """Whether a value has left the deadband that its client asked for."""
        value = apply_deadband_filter(
            previous_value=self._last.get(subscription),
            new_value=values,
            sub=subscription,
            flags=update.flags,
            host_endian=_ENDIAN,
        )
        if value is not None:
            self._last[subscription] = value
        return value is not None


def _encode(subscription: Any, values: Any, count: int, metadata: Any) -> bytes:
    response = subscription.channel.subscribe(
        data=values,
        metadata=metadata,
        data_type=subscription.data_type,
        data_count=count,
        subscriptionid=subscription.subscriptionid,
        status=1,
    )
    return b"".join((bytes(response.header), *map(bytes, response.buffers)))
