"""Headless Chromium, spoken to over its DevTools protocol: open a page, read values of its scripts, take a picture."""

import base64
import hashlib
import itertools
import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.booted.booted import eventually

# It has no way to the world here: what it would look for there by itself is turned off.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
ROOT = ("--no-sandbox",)  # root gets no sandbox
SIZE = "--window-size=1280,800"


class Page:
    def __init__(self, devtools: Connection) -> None:
        self._devtools = devtools
        self._numbers = itertools.count(1)

    def open(self, url: str, seconds: float = 60) -> None:
        """Until all that the page names is loaded. AssertionError when it cannot be opened."""
        opened = self._ask("Page.navigate", url=url)
        assert "errorText" not in opened, f"{url}: {opened['errorText']}"
        eventually(lambda: self.value("document.readyState") == "complete", seconds)

    def value(self, script: str) -> Any:
        """What a script evaluates to in the page; a promise is waited for. AssertionError when it throws."""
        done = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def picture(self, file: Path) -> None:
        """PNG of what a window would show."""
        file.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._devtools.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._devtools.recv(timeout=60))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])


@contextmanager
def browser(program: Path, folder: Path, addresses: Mapping[str, str], trusted: x509.Certificate) -> Iterator[Page]:
    """An empty page; `addresses` are told instead of what names resolve to, and no other name exists.

    Of all certificates that no public authority has signed, it takes the one with the key of `trusted`.
    """
    key = trusted.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    rules = ", ".join([*(f"MAP {name} {address}" for name, address in addresses.items()), "MAP * ~NOTFOUND"])
    command = [
        *(str(program), "--headless", "--disable-gpu", "--no-first-run", *ROOT, *QUIET, SIZE),
        *(f"--user-data-dir={folder}", "--remote-debugging-port=0", f"--host-resolver-rules={rules}"),
        *(f"--ignore-certificate-errors-spki-list={pin}", "about:blank"),
    ]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        told = folder / "DevToolsActivePort"
        eventually(lambda: told.exists() and len(told.read_text().split()) == 2, 60, pause=0.1)
        port = told.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as pages:
            (address,) = [each["webSocketDebuggerUrl"] for each in json.load(pages) if each["type"] == "page"]
        with connect(address, max_size=None, proxy=None) as devtools:
            yield Page(devtools)
    finally:
        process.terminate()
        process.wait(30)
