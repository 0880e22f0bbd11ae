"""Put before a run's path: a clock that, a second after a process starts, is set back to 2001."""

from __future__ import annotations

import time

BACK = 1_000_000_000.0
_time, _localtime, _gmtime, _started = time.time, time.localtime, time.gmtime, time.monotonic()


def _now() -> float:
    gone = time.monotonic() - _started
    return _time() if gone < 1 else BACK + gone


time.time = _now
time.time_ns = lambda: int(_now() * 1e9)
time.localtime = lambda seconds=None: _localtime(_now() if seconds is None else seconds)
time.gmtime = lambda seconds=None: _gmtime(_now() if seconds is None else seconds)
