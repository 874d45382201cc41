"""A stack of bridges whose signaling node answers, and what its tests ask about servers, names and drains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cloudflare

from tests.level3_applied.applied import Run, Stack, zone_id
from tests.level3_applied.node import Answer
from tests.level3_applied.nodes import Nodes


@dataclass(frozen=True)
class Fleet:
    nodes: Nodes
    stack: Stack

    def up(self, *arguments: str, answers: Mapping[tuple[str, str], Answer] | None = None, **config: Any) -> Run:
        """One `pulumi up` on a new page of the nodes, with changed settings; `answers` by verb and bridge."""
        self.nodes.forget()
        for (verb, name), answer in (answers or {}).items():
            self.nodes.answer(verb, name, answer)
        self.stack.configure(**config)
        return self.stack.up(*arguments)

    def servers(self) -> dict[str, str]:
        """The logical names of all servers, by the ids that the cloud has for them; the oldest first."""
        return {server.instance: server.name for server in self.stack.workshop.machines.all()}

    def bridges(self) -> dict[str, str]:
        """The id of each bridge's server, by the bridge's name; the newest where there are two."""
        return {name: instance for instance, name in self.servers().items() if name.startswith("bridge")}

    def made(self) -> list[int]:
        """The numbers of the calls that asked for a server."""
        method, path, _ = self.stack.workshop.machines.words.made
        return self.nodes.calls(method, rf"{path}(\?.*)?")

    def records(self) -> dict[tuple[str, str], str]:
        """What the names of the cluster lead to, by name and type."""
        return {(str(record.name), str(record.type)): str(record.content) for record in self._listed()}

    def record_calls(self, method: str, host: str) -> list[int]:
        """The numbers of the calls that changed or deleted the addresses of a host's names that there are now."""
        ids = [str(record.id) for record in self._listed() if str(record.name).startswith(f"{host}.")]
        assert ids, f"{host} has no names"
        return self.nodes.calls(method, f"/zones/[^/]+/dns_records/({'|'.join(ids)})")

    def _listed(self) -> list[Any]:
        workshop = self.stack.workshop
        client = cloudflare.Cloudflare(api_token=workshop.cloudflare_token, base_url=workshop.cloud.cloudflare_url)
        return list(client.dns.records.list(zone_id=zone_id("fleet.test")))

    def were_drained_before_they_went(self, before: Mapping[str, str], names: Iterable[str]) -> None:
        """Each had its drain, to the end, before the deletion of the server that it was `before`; and that is gone."""
        for name in names:
            drain = self.nodes.one("drain", name)
            assert (drain.instance, drain.key) == (before[name], "operations")
            assert drain.ended, f"nobody heard how the drain of {name} ended"
            (deleted,) = self.nodes.calls(*self.stack.workshop.machines.gone(before[name]))
            assert deleted > drain.last_call, f"{name} went before its drain had ended"
