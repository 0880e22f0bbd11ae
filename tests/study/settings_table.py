"""Prints docs/study-file.md from the schema that `kalib schema` prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from kalib.study.settings import Study, wanted

HEAD = """# The study file

Every key of `study.toml`, as `kalib schema` prints it for editors and other programs. Unknown keys
are refused with the nearest known one; all problems are listed at once.
"""


def sections() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Name, schema and whether it must be there, of every section."""
    schema = Study.model_json_schema()

    def resolved(part: dict[str, Any]) -> dict[str, Any]:
        refs = [p["$ref"] for p in [part, *part.get("anyOf", [])] if "$ref" in p]
        return schema["$defs"][refs[0].rpartition("/")[2]] if refs else part

    for name, part in schema["properties"].items():
        section = resolved(part)
        yield name, section, name in schema["required"]
        for key, inner in section["properties"].items():
            if resolved(inner) is not inner:
                yield f"{name}.{key}", resolved(inner), False


def page() -> str:
    parts = [HEAD]
    for name, section, needed in sections():
        about = " ".join(section["description"].split()).partition(": ")[2]
        parts.append(
            f"## [{name}]{'' if needed else ' (optional)'}\n\n{about[:1].upper()}{about[1:]}\n"
        )
        lines = ["| key | takes | default | effect |", "|---|---|---|---|"]
        for key, rule in section["properties"].items():
            if key in section.get("required", []):
                default = "none: needed"
            else:
                value = rule.get("default")
                default = "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
            said = " ".join(rule["description"].split())
            lines.append(f"| `{key}` | {wanted(rule)} | {default} | {said} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.buffer.write(page().encode())
