"""How a command ends: with status 0, 1 or 2, and one message."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from kalib.errors import StudyError, message_of


class Kalib(click.Group):
    """Commands whose errors are one readable message, and whose status is 0, 1 or 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; tell an error in one message."""
        with _stoppable() as stopped:
            try:
                return super().invoke(ctx)
            except (click.ClickException, click.Abort, click.exceptions.Exit):
                raise
            except (KeyboardInterrupt, Exception) as error:
                if stopped() or isinstance(error, KeyboardInterrupt):
                    click.echo("stopped; earlier reports are as they were", err=True)
                    sys.exit(1)
                if ctx.params.get("debug"):
                    raise
                click.echo(message_of(error), err=True)
                sys.exit(2 if isinstance(error, StudyError) else 1)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """SIGTERM stops the block as the key does, so that what it began is cleared. Gives a function
    that says whether it was stopped: an engine may turn what the signal raises into an error."""
    came: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    usual = (signal.SIG_DFL, signal.default_int_handler)  # not where it is ignored
    kinds = [kind for kind in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(kind) in usual]
    before = {kind: signal.signal(kind, stop) for kind in kinds}
    try:
        yield lambda: bool(came)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
