"""The server with one more device, `Maker`, that makes and destroys devices of the other classes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from typing import Any

from tango import Util
from tango.server import Device, command

from repstream.parameters.catalogue import Catalogue
from repstream_tango import server
from repstream_tango.projection import CLASSES

CLASS, DEVICE = "Maker", "test/maker/1"


class Maker(Device):  # type: ignore[misc]  # pytango has no types
    @command(dtype_in=str, doc_in="Class of the device.")  # type: ignore[untyped-decorator]
    def MakeAndDestroy(self, tango_class: str) -> None:
        """Three devices that come, are initialised again, and go."""
        made = next(each for each in Util.instance().get_class_list() if each.get_name() == tango_class)
        for number in range(3):
            name = f"test/{tango_class}/{number}".lower()
            made.device_factory([name])
            device = Util.instance().get_device_by_name(name)
            device.delete_device()
            device.init_device()
            made.device_destroyer(name)

    @command(  # type: ignore[untyped-decorator]
        dtype_in=str, doc_in="Class of the devices.", dtype_out=int, doc_out="How many are in memory."
    )
    def Alive(self, tango_class: str) -> int:
        """Also those that no client can reach any more."""
        gc.collect()
        return sum(type(one).__name__ == tango_class for one in gc.get_objects())


def _maker(catalogue: Catalogue, common: Mapping[str, Any]) -> Any:
    return Maker


if __name__ == "__main__":
    sys.exit(server.main(classes=(*CLASSES, _maker)))
