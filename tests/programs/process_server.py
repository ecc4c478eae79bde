"""Starts programs in processes of their own that need not import what takes long again.

The imports take seconds, and many tests want a process. This one imports once what its
arguments name, and forks for each request that comes through the socket on file descriptor 0:
JSON with `code`, `arguments`, `environment`, `folder` and `terminal`, and the three standard
streams. It answers with the process id at once, and with it and the exit code in the end.
"""

import fcntl
import gc
import json
import os
import signal
import socket
import sys
import termios
from importlib import import_module
from typing import Any


def serve(channel: socket.socket) -> dict[str, Any]:
    """Answer requests; return in each child process, with its request."""
    while True:
        message, streams, *_ = socket.recv_fds(channel, 65536, 3)
        request = json.loads(message)
        process = os.fork()
        if not process:
            channel.close()
            # A suite that runs in the background of a shell has it ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            use_streams(streams, terminal=request["terminal"])
            return dict(request)
        for stream in streams:
            os.close(stream)
        channel.send(str(process).encode())
        _, status = os.waitpid(process, 0)
        channel.send(f"{process} {os.waitstatus_to_exitcode(status)}".encode())


def use_streams(streams: list[int], *, terminal: bool) -> None:
    """Make *streams* standard input, output and error; a terminal also sends signals."""
    if terminal:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as we run
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as we run
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115 - as above


if __name__ == "__main__":
    for name in sys.argv[1:]:
        import_module(name)
    gc.freeze()  # or each process would go through all of it as it ends
    request = serve(socket.socket(fileno=os.dup(0)))
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = ["nodespan", *request["arguments"]]
    exec(request["code"], {"__name__": "__main__"})  # noqa: S102 - a test's own program
