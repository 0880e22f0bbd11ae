"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent  # the installed package


@contextmanager
def whole(target: Path, writer: str = "") -> Iterator[Path]:
    """A hidden path beside target to write a file or a folder to.

    What lies there takes target's place, a file's or a folder's, when the block ends well, and is
    cleared when it does not. writer: tells apart several processes that write the same target at
    once. Raises OSError, with target as its file, whatever part it named.
    """
    part = target.with_name(f".{target.name}{writer}.part")
    try:
        _clear(part)
        yield part
        if target.is_dir() or part.is_dir():
            _clear(target)
        part.replace(target)
    except OSError as error:
        error.filename, error.filename2 = str(target), None
        raise
    finally:
        with suppress(OSError):  # a read-only disk refuses to remove even what is not there
            _clear(part)


def _clear(path: Path) -> None:
    """Remove a file or a folder; none is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
