"""Words that clients write, and what is said of a table, as words.toml lists them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
REFUSED: dict[str, tuple[str, str]] = WORDS["refused"]  # key -> what is wrong, and what to do
MISSING = set(WORDS["cells"]["missing"])
