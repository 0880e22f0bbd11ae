"""Steps of an analysis, each computed once for what it was given, over the notebooks of a run."""

from __future__ import annotations

import inspect
import os
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from kalib.files import code_hash, json_hash, whole

STEPS = "steps"  # the folder of kept steps, below a run's
P = ParamSpec("P")
Result = TypeVar("Result")

_folder: Path | None = None  # of the kept steps; None keeps nothing


class keep(AbstractContextManager[None]):
    """Keep the steps computed from here on below a folder, and take those kept there.

    A step is taken where the same version of the kit was given the same input before, so that what
    follows from a change is computed and nothing else is. `kalib.keep(folder)` holds until the next
    call, `with kalib.keep(folder):` for the block.

    Parameters
    ----------
    folder : Path or str
        A run's folder; "" keeps nothing.

    Examples
    --------
    >>> with keep(""):
    ...     kept_in()
    """

    def __init__(self, folder: Path | str) -> None:
        global _folder
        self._before = _folder
        _folder = Path(folder).resolve() / STEPS if folder else None

    def __exit__(self, *_: object) -> None:
        global _folder
        _folder = self._before


def kept_in() -> Path | None:
    """Where steps are kept; None where they are not."""
    return _folder


def kept(step: Callable[P, Result]) -> Callable[P, Result]:
    """A step whose results are kept: a pure function of its arguments."""
    signature = inspect.signature(step)

    @wraps(step)
    def run(*args: P.args, **given: P.kwargs) -> Result:
        bound = signature.bind(*args, **given)
        bound.apply_defaults()
        return kept_result(step.__name__, bound.arguments, lambda: step(*args, **given))

    return run


def kept_result(name: str, inputs: dict[str, Any], compute: Callable[[], Result]) -> Result:
    """The result kept of a step for these inputs; else computed and, where the disk takes it, kept.

    Always a copy: a fresh one may share parts with others, and would hash differently.
    """
    from filelock import FileLock
    from threadpoolctl import threadpool_limits

    file = None
    alone: AbstractContextManager[Any] = nullcontext()
    if _folder:
        import joblib

        parts = {"code": code_hash(), "inputs": {k: joblib.hash(v) for k, v in inputs.items()}}
        file = _folder / f"{name}-{json_hash(parts)[:24]}.pkl"
        # Of two processes at the same step one waits, and takes what the other computed.
        with suppress(OSError):  # where nothing can be kept, each computes for itself
            file.parent.mkdir(parents=True, exist_ok=True)
            alone = FileLock(file.with_suffix(".lock")).acquire()
    with alone:
        if file and file.exists():
            return pickle.loads(file.read_bytes())
        # On small tables threads of linear algebra wait for one another, five times as long.
        with threadpool_limits(1):
            result = compute()
        if file is None:
            return result
        stored = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
        # A full disk is told where a deliverable meets it.
        with suppress(OSError), whole(file, str(os.getpid())) as part:
            part.write_bytes(stored)
    return pickle.loads(stored)
