"""What the tools tell the person at the terminal: one line per step, and a sign of life during long ones."""

import sys
import threading
import time
from types import TracebackType


def say(part: str, text: str) -> None:
    """Print one line: which part it is about, then what was done with it."""
    print(f"{part:<11}{text}", flush=True)


class Progress:
    """Shows that long work goes on: a line that counts on a terminal, a new line every 20 s in a log."""

    def __init__(self, part: str, text: str) -> None:
        self.part, self.text, self.detail = part, text, ""
        self._terminal = sys.stdout.isatty()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def note(self, detail: str) -> None:
        """Say which stage the work has reached; shown with the next sign of life."""
        self.detail = detail

    def __enter__(self) -> "Progress":
        say(self.part, f"{self.text} ...")
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        if self._terminal:
            print("\r\033[K", end="", flush=True)

    @property
    def elapsed(self) -> str:
        """Time since the start, as a person would say it: `48 s`, `3 min 5 s`."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

    def _run(self) -> None:
        while not self._stopped.wait(1 if self._terminal else 20):
            line = f"{'':<11}{self.elapsed}{', ' + self.detail if self.detail else ''}"
            print(f"\r\033[K{line[:100]}" if self._terminal else line, end="" if self._terminal else "\n", flush=True)
