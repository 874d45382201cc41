"""A certificate authority that speaks as Let's Encrypt does: Debian's `pebble`, under Let's Encrypt's own name."""

import asyncio
import json
import os
from pathlib import Path

from . import addresses

NAME = "acme-v02.api.letsencrypt.org"


class Acme:
    def __init__(self, authority: Path) -> None:
        """`authority` holds the certificate of a server of that name (local_cloud/images/authority.py)."""
        self._authority = authority
        self._folder = Path("/run/jitsi-fleet-acme")
        self._server: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Its names are proven over port 80 of the hosts, as the world sees them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "listenAddress": f"{addresses.ACME}:443",
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

    async def stop(self) -> None:
        """Like an authority that is away."""
        if self._server is not None and self._server.returncode is None:
            self._server.kill()
            await self._server.wait()
