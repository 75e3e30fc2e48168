"""Runs a program of the documentation with real ophyd and bluesky, then prints their documents and the state.

Arguments: the program's file. In a process of its own: libca reads its environment once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

names: dict[str, Any] = {"__name__": "__main__"}
exec(compile(Path(sys.argv[1]).read_text(), sys.argv[1], "exec"), names)
print("DOCUMENTS", json.dumps(names["documents"], default=repr))
