"""Keeps an interruption from burying the message that matters.

When a resource fails, the engine interrupts the program, and Python would print a traceback of some twenty lines below
the provider's one-line reason (recorded with the real language host).
"""

import sys
from types import TracebackType


def end_quietly() -> None:
    """Let a KeyboardInterrupt end the program without a traceback; every other exception is shown as before."""
    shown = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            shown(kind, error, trace)

    sys.excepthook = hook
