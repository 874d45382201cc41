"""Work done in another network namespace of this machine, without leaving one's own.

The system call changes the namespace of one thread alone, so it is made in a thread that ends with the work. A socket
stays in the namespace in which it was made, and may be used from anywhere; so does a child process.
"""

import ctypes
import os
import socket
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

CLONE_NEWNET = 0x40000000
T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)  # Python has os.setns from 3.12 on


def run_in(netns_fd: int, work: Callable[[], T]) -> T:
    """What `work` returns or raises, run in the namespace of this descriptor; OSError when that cannot be entered."""
    results: list[T] = []
    failures: list[BaseException] = []

    def thread() -> None:
        try:
            if _libc.setns(netns_fd, CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                raise OSError(number, f"cannot enter the network namespace: {os.strerror(number)}")
            results.append(work())
        except BaseException as error:  # handed on to the caller below
            failures.append(error)

    worker = Thread(target=thread, name="netns")
    worker.start()
    worker.join()
    if failures:
        raise failures[0]
    return results[0]


def socket_in(netns_fd: int, family: int, kind: int) -> socket.socket:
    """A new socket that lives in the namespace of this descriptor."""
    return run_in(netns_fd, lambda: socket.socket(family, kind))
