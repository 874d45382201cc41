"""A certificate authority that speaks as Let's Encrypt does: Debian's `pebble`, under Let's Encrypt's own name."""

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Route

from ..images.web import Served, bound
from . import addresses

NAME = "acme-v02.api.letsencrypt.org"
PORT = 14000
STARTS_WITHIN = 15.0  # seconds


class Acme:
    def __init__(self, authority: Path) -> None:
        """`authority` holds the certificate of a server of that name (local_cloud/images/authority.py)."""
        self._authority = authority
        self._folder = Path("/run/jitsi-fleet-acme")
        self._server: asyncio.subprocess.Process | None = None
        self._front: Served | None = None

    async def start(self) -> None:
        """Answers when this returns. Names are proven over port 80 of the hosts, as the world sees them.

        It knows no account and no certificate of an earlier start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "listenAddress": f"{addresses.ACME}:{PORT}",
            "managementListenAddress": f"{addresses.ACME}:15000",
            "certificate": str(self._authority / "server.crt"),
            "privateKey": str(self._authority / "server.key"),
            "httpPort": 80,
            "tlsPort": 443,
        }
        (self._folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        quick = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        with (self._folder / "pebble.log").open("ab") as log:
            self._server = await asyncio.create_subprocess_exec(
                *("pebble", "-config", str(self._folder / "pebble.json"), "-dnsserver", f"{addresses.RESOLVER}:53"),
                env={**os.environ, **quick},
                stdout=log,
                stderr=log,
            )
        await _answers(addresses.ACME, PORT)
        # Pebble's list of its addresses is not where Let's Encrypt's is; clients follow from there to its own port.
        elsewhere = Route("/directory", lambda _: RedirectResponse(f"https://{NAME}:{PORT}/dir"))
        self._front = Served(Starlette(routes=[elsewhere]), bound(addresses.ACME, 443), self._authority)
        await self._front.start()

    async def stop(self) -> None:
        """Like an authority that is away."""
        if self._front is not None:
            await self._front.stop()
        if self._server is not None and self._server.returncode is None:
            self._server.kill()
            await self._server.wait()


async def _answers(address: str, port: int) -> None:
    """Wait until somebody listens there. TimeoutError after STARTS_WITHIN."""
    async with asyncio.timeout(STARTS_WITHIN):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(address, port)
                writer.close()
                return
            await asyncio.sleep(0.05)
