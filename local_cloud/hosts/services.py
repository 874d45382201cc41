"""What hosts find in the world outside: names, package archives, Let's Encrypt. Each can be away for a while."""

from ..images.prepare import Prepared
from ..images.web import Archives
from ..store import Store
from . import acme, addresses
from .acme import Acme
from .names import Resolver


class Services:
    def __init__(self, store: Store, prepared: Prepared) -> None:
        names = dict.fromkeys((place.name for place in prepared.archives.iterdir()), addresses.ARCHIVES)
        self._resolver = Resolver(store, {**names, acme.NAME: addresses.ACME})
        self._archives, self._acme = Archives(prepared), Acme(prepared.authority)

    async def start(self) -> None:
        for name in ("names", "archives", "acme"):
            await self.change(name, away=False)

    async def stop(self) -> None:
        await self._acme.stop()  # the others are sockets of this process

    async def change(self, name: str, away: bool) -> None:
        """Take one away, or give it back; KeyError if there is none of that name."""
        match name:
            case "archives":
                await (self._archives.stop() if away else self._archives.start(addresses.ARCHIVES))
            case "names":
                await (self._resolver.stop() if away else self._resolver.start(addresses.RESOLVER))
            case "acme":
                await (self._acme.stop() if away else self._acme.start())
            case _:
                raise KeyError(name)
