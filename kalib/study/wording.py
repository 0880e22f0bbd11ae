"""A setting's JSON schema in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}


def wanted(schema: Mapping[str, Any]) -> str:
    """What a key takes.

    >>> wanted({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
    'a number above 0 and at most 1'
    """
    if "examples" in schema:
        return f"text such as {_said(schema['examples'][0])}"
    for key in ("anyOf", "enum"):
        if key in schema:
            parts = [p for p in schema[key] if p != {"type": "null"}]
            said = [wanted(part) if isinstance(part, Mapping) else _said(part) for part in parts]
            return " or ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))
    if "const" in schema:
        return _said(schema["const"])
    kind = schema.get("type", "")
    if kind in ("number", "integer"):
        words = "a whole number" if kind == "integer" else "a number"
        if {"minimum", "maximum"} <= set(schema):
            return f"{words} from {_said(schema['minimum'])} to {_said(schema['maximum'])}"
        bounds = [f"{word} {_said(schema[key])}" for key, word in BOUNDS.items() if key in schema]
        return f"{words} {' and '.join(bounds)}".strip()
    if kind == "array":
        return f"a list, each entry {wanted(schema['items'])}"
    return "text" if kind == "string" else "a table of keys"


def _said(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:,.16g}" if abs(value) < 1e9 else f"{value:g}"
    return json.dumps(value, ensure_ascii=False)
