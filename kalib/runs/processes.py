"""Functions at work in processes of their own: forked from a server that has everything imported
where the system can do that, else started anew."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from kalib.errors import KalibError

SWITCH = "KALIB_FORK"  # "0" in the environment: every process is started anew
SERVE = "import sys; from kalib.runs.forkserver import serve; serve(*map(int, sys.argv[1:]))"
START_SECONDS = 120  # a server that has not forked by then hangs; cold imports take up to 30
SPAWNED = "from kalib.runs.processes import serve_spawned; serve_spawned()"
Message = tuple[str, Any]  # kind ("pid", "told", "value", "error", "exit") and content


class ProcessDied(KalibError):
    """A process ended without a word: killed, perhaps for want of memory."""


class Child:
    """A function at work in another process; jupyter_client may take it for a Popen."""

    stdin = stdout = stderr = None

    def __init__(self, events: int, process: subprocess.Popen[bytes] | None = None) -> None:
        self._events, self._process = events, process
        self._rest, self._messages = b"", deque[Message]()
        self._pid = process.pid if process else 0
        self.returncode: int | None = None

    @property
    def pid(self) -> int:
        """The process, once it has started."""
        return self._pid

    def started(self, seconds: float) -> bool:
        """Whether it is there, or has been, within so many seconds."""
        end = time.monotonic() + seconds
        while not self._pid and self.returncode is None:
            if not self._listen(max(0, end - time.monotonic())):
                self._end(-signal.SIGKILL)  # the server sees that nobody listens
        return self._pid > 0

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        while self.returncode is None and self._listen(0):
            pass
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has one."""
        while self.returncode is None:
            if not self._listen(timeout):
                raise subprocess.TimeoutExpired("kalib", timeout or 0)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Send a signal, where it still runs."""
        if self.poll() is None:
            os.kill(self._pid, signum)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def abandon(self) -> None:
        """End it while another thread may be waiting for its result."""
        if self._pid and self.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self._pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def result(self, told: Callable[..., None] = lambda *_: None) -> Any:
        """Wait for what the function returns; told is called with what it tells meanwhile.

        Raises what the function raised; ProcessDied where it ended without either.
        """
        for kind, content in self._said():
            if kind == "told":
                told(*content)
            else:
                self.wait()
                if kind == "error":
                    raise content
                return content
        raise ProcessDied("a process of the run died, perhaps for want of memory; "
                          "close other programs and run again")  # fmt: skip

    def _said(self) -> Iterator[Message]:
        while self._messages or self.returncode is None:
            if self._messages:
                yield self._messages.popleft()
            else:
                self._listen(None)

    def _listen(self, timeout: float | None) -> bool:
        """Take in what it says; False where it says nothing in time."""
        if timeout is not None and not wait([self._events], timeout):
            return False
        data = os.read(self._events, 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, content = pickle.loads(base64.b64decode(line))
            if kind == "pid":
                self._pid = content
            elif kind == "exit":
                self._end(content)
            else:
                self._messages.append((kind, content))
        if not data and self.returncode is None:
            self._end(self._process.wait() if self._process else -signal.SIGKILL)
        return True

    def _end(self, code: int) -> None:
        self.returncode = code
        if self._process is None:
            os.close(self._events)


def start(
    target: str,
    arguments: Sequence[Any],
    *,
    early: bool = False,
    environment: Mapping[str, str] | None = None,
    folder: Path | str | None = None,
) -> Child:
    """Call target ("module:function") with arguments in another process.

    early: what it needs is imported first by the fork server. environment, folder: its own
    environment and working folder, ours by default. It ends when this process does, however
    this process ends.
    """
    environment = dict(os.environ if environment is None else environment)
    folder = str(folder or Path.cwd())
    child = fork(target, arguments, environment, folder, early=early)
    return child or _spawn(target, arguments, environment, folder)


def fork(
    target: str,
    arguments: Sequence[Any],
    environment: Mapping[str, str],
    folder: str,
    *,
    early: bool = False,
) -> Child | None:
    """As `start`, but None where the system can't fork, or no fork comes of it in time."""
    server = _fork_server()
    if server is None:
        return None
    heard, said = os.pipe()
    request = pickle.dumps((target, list(arguments), dict(environment), folder, early))
    try:
        socket.send_fds(server, [request], [said])
    except OSError:  # the server is gone, or the environment larger than a packet
        os.close(heard)
        return None
    finally:
        os.close(said)
    child = Child(heard)
    return child if child.started(START_SECONDS) else None


_server: socket.socket | None = None
_alive: int | None = None  # the server ends when the last copy of this pipe's end is closed
_starting = Lock()


def _fork_server() -> socket.socket | None:
    """The socket that a fork server listens to, which is started at the first call."""
    global _server, _alive
    if sys.platform != "linux" or os.environ.get(SWITCH) == "0":
        return None
    with _starting:
        if _server is None:
            _keep_standard_files()
            _server, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            watched, _alive = os.pipe()
            handed = (theirs.fileno(), _server.fileno(), watched)
            with suppress(OSError):  # no server: requests fail, and processes start anew
                subprocess.Popen(
                    [sys.executable, "-P", "-c", SERVE, *map(str, handed)],
                    pass_fds=handed, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip
            _server.settimeout(START_SECONDS)
            theirs.close()
            os.close(watched)
    return _server


def adopt_server(client: int) -> None:
    """In a forked process: ask for others at the same server."""
    global _server
    _server = socket.socket(fileno=client)


def _keep_standard_files() -> None:
    """Files 0 to 2 open, so that no pipe of ours takes the place of a closed one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _spawn(
    target: str, arguments: Sequence[Any], environment: Mapping[str, str], folder: str
) -> Child:
    process = subprocess.Popen(
        [sys.executable, "-c", SPAWNED], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=dict(environment), cwd=folder,
    )  # fmt: skip
    assert process.stdin and process.stdout
    process.stdin.write(base64.b64encode(pickle.dumps((target, list(arguments)))) + b"\n")
    process.stdin.flush()
    return Child(process.stdout.fileno(), process)


def serve_spawned() -> None:
    """What a process started anew does: read what to call, call it, end when its parent does."""
    target, arguments = pickle.loads(base64.b64decode(sys.stdin.buffer.readline()))
    events = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)

    def end_with_parent() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    Thread(target=end_with_parent, daemon=True).start()
    perform(target, arguments, events)


_events: int | None = None  # where `tell` writes, in a process that has a parent


def perform(target: str, arguments: Sequence[Any], events: int) -> None:
    """Call the function and send what it returns or raises."""
    global _events
    _events = events
    module, _, name = target.partition(":")
    try:
        send(events, "value", getattr(import_module(module), name)(*arguments))
    except BaseException as error:  # noqa: BLE001  all of it is the parent's to know
        error.add_note(traceback.format_exc())
        send(events, "error", _portable(error))


def tell(*content: Any) -> None:
    """Tell the parent how far the work has come; nothing where there is no parent."""
    if _events is not None:
        send(_events, "told", content)


def send(events: int, kind: str, content: Any) -> None:
    """Write one message."""
    line = base64.b64encode(pickle.dumps((kind, content))) + b"\n"
    try:
        while line:
            line = line[os.write(events, line) :]
    except BrokenPipeError:
        pass  # nobody listens any more


def _portable(error: BaseException) -> BaseException:
    """The error where it can be pickled, else its text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  whatever a foreign error's pickling raises
        return KalibError(f"{type(error).__name__}: {error}")
    return error
