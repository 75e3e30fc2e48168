from __future__ import annotations

from hypothesis import settings

# A machine that does other things as well is slow now and then; no property is about time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
