"""The server that imports everything once and forks: the processes start warm and clean.

Linux only. It ends when the process that started it does; its children end with it, and each
ends with whoever asked for it.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import pickle
import random
import select
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections import deque
from contextlib import suppress
from importlib import import_module
from typing import Any

from kalib.runs import processes

FIRST = ("kalib.runs.run",)  # what a study's own process needs
THEN = (
    "ipykernel.kernelapp",
    "matplotlib_inline.backend_inline",
    "papermill",
    "kalib.runs.execution",
)
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
Request = tuple[str, list[Any], dict[str, str], str, bool]


def serve(requests: int, client: int, alive: int) -> None:
    """Import, and fork whatever is asked for. requests: a socket; client: its other end, for the
    children; alive: a pipe that closes with the parent."""
    processes.adopt_server(client)
    _Server(requests, alive).work()


class _Server:
    def __init__(self, requests: int, alive: int) -> None:
        self._socket, self._alive = socket.socket(fileno=requests), alive
        self._children: dict[int, int] = {}  # process -> pipe of its events
        self._held: deque[tuple[Request, int]] = deque()
        self._awake, awaken = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(awaken, False)
        signal.set_wakeup_fd(awaken)
        signal.signal(signal.SIGCHLD, lambda *_: None)

        self._end_with_parent()

    def _end_with_parent(self) -> None:
        """Have the system end this process when the pipe closes, in the midst of an import too."""
        fcntl.fcntl(self._alive, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(self._alive, fcntl.F_SETFL, os.O_ASYNC)  # SIGIO, which ends a process
        if select.select([self._alive], [], [], 0)[0]:
            os._exit(0)

    def work(self) -> None:
        """Until the parent ends."""
        for name in FIRST:
            import_quietly(name)
        later = deque(THEN)
        while True:
            self._look(0 if later else None)
            if later:
                import_quietly(later.popleft())
                if not later:
                    gc.collect()
                    gc.freeze()  # collections in the children need not copy what is shared
            while self._held and not later:
                self._fork(*self._held.popleft())

    def _look(self, timeout: float | None) -> None:
        poll = select.poll()
        for number in (self._socket.fileno(), self._awake):
            poll.register(number, select.POLLIN)
        for events in self._children.values():
            poll.register(events, 0)  # tells of an error alone: its reader is gone
        for number, _ in poll.poll(timeout):
            if number == self._awake:
                with suppress(BlockingIOError):
                    os.read(self._awake, 4096)
                self._reap()
            elif number == self._socket.fileno():
                self._take()
            else:
                self._orphaned(number)

    def _take(self) -> None:
        data, (events, *_), _, _ = socket.recv_fds(self._socket, 1 << 20, 1)
        request: Request = pickle.loads(data)
        if request[-1]:
            self._fork(request, events)
        else:
            self._held.append((request, events))

    def _reap(self) -> None:
        while self._children:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            events = self._children.pop(process)
            processes.send(events, "exit", os.waitstatus_to_exitcode(status))
            os.close(events)

    def _orphaned(self, number: int) -> None:
        """End the child whose parent has ended."""
        for process, events in self._children.items():
            if events == number:
                with suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)

    def _fork(self, request: Request, events: int) -> None:
        if threading.active_count() > 1:  # a fork would copy locks that nobody can open
            os.close(events)
            return
        parent = os.getpid()
        with warnings.catch_warnings():
            # The one other thread is the memory allocator's own, which knows of forks.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                process = os.fork()
            except OSError:  # no room for another: who asked sees the pipe close
                os.close(events)
                return
        if process:
            self._children[process] = events
            processes.send(events, "pid", process)
            return
        try:
            die_with(parent)
            self._forget()
            _become(request, events)
        finally:
            os._exit(1)

    def _forget(self) -> None:
        """In a child: nothing of the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._socket.close()
        for number in (self._alive, self._awake, *self._children.values()):
            os.close(number)


def import_quietly(name: str) -> None:
    """Import a module; what is wrong with it shows where it is used."""
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module(name)


def die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _become(request: Request, events: int) -> None:
    """In a child: a process like one started anew, but with everything imported."""
    target, arguments, environment, folder, _ = request
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    processes.perform(target, arguments, events)
    os._exit(0)
