"""The process that services and jobs are forked from. It answers on stdout what it is asked on stdin."""

import asyncio
import os
import signal
import sys

import msgspec

from tidings.cli.forking.messages import Ended, Event, Forked, Request, RunJob
from tidings.cli.forking.preload import preload
from tidings.cli.prctl import dies_with_parent, show_as
from tidings.cli.running import run_service

STDIN, STDOUT, STDERR = 0, 1, 2

_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(Request).decode


class Zygote:
    """Forks on request, and tells when a fork has ended."""

    def __init__(self) -> None:
        self._ids: dict[int, int] = {}
        self._tie = dies_with_parent(signal.SIGKILL)

    def serve(self) -> None:
        """Answer requests until stdin ends."""
        # The handler interrupts the wait for the next line; Python goes on waiting afterwards.
        signal.signal(signal.SIGCHLD, lambda *_: self._reap())
        for line in sys.stdin.buffer:
            request = _decode_request(line)
            self._fork(request)

    def _fork(self, request: Request) -> None:
        # No fork shall be reported as ended before it is reported as begun.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            os._exit(self._become(request))
        self._ids[pid] = request.id
        _tell(Forked(id=request.id, pid=pid))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _become(self, request: Request) -> int:
        """Do the work of a fork; returns its exit code."""
        # A terminal's Ctrl-C goes to the supervisor, which stops its processes in order.
        os.setsid()
        self._tie()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        file = os.open(request.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(file, STDERR)
        os.dup2(os.open(os.devnull, os.O_RDONLY), STDIN)
        try:
            _work(request)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001 - as at the end of any process
            sys.excepthook(*sys.exc_info())
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return 0

    def _reap(self) -> None:
        while self._ids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _tell(Ended(id=self._ids.pop(pid), code=os.waitstatus_to_exitcode(status)))


def _work(request: Request) -> None:
    if isinstance(request, RunJob):
        show_as("tidings-job")
        _run_job(request)
    else:
        show_as(f"tidings-{request.service}")
        os.dup2(STDERR, STDOUT)
        os.environ.clear()
        os.environ.update(request.environment)
        run_service(request.service)


def _run_job(request: RunJob) -> None:
    from tidings.cli.forking.jobs import run_job  # noqa: PLC0415 - only this fork needs it

    answers = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    result = asyncio.run(run_job(request.id, request.job))
    os.write(answers, _encode(result) + b"\n")


def _tell(event: Event) -> None:
    # One write of less than PIPE_BUF bytes: lines of several processes do not mix.
    os.write(STDOUT, _encode(event) + b"\n")


if __name__ == "__main__":
    preload()

    show_as("tidings-zygote")
    Zygote().serve()
