"""EC2's instances as tenants of the site.

An instance in a passing state (pending, stopping, shutting-down) waits for its host; when that has done it, the API is
told. The state of EC2 ends with the process, so no instance outlives it.
"""

import re
import traceback
from pathlib import Path

from starlette.routing import Route

from ...aws.ec2 import Ec2
from ...aws.instances import GROUP, INSTANCE
from ...store import Doc, Store
from .. import addresses, report
from ..forwarding import Host
from ..machine import BootError, Machine
from ..machines import Machines
from ..rulesets import RulesetError
from ..shell import CommandError
from ..tenants import Landlord
from . import metadata, rules
from .vpcs import INTERFACE, Vpcs

# As at EC2: an orderly end, then the power is cut. There it may take minutes.
ORDERLY_SECONDS = 60.0
# The prepared image looks for Hetzner alone. Debian's AMI looks for every cloud and tells by the firmware where it is:
# first ds-identify does, which takes no container for EC2 and so must leave it to cloud-init, which is asked next.
# A container has no udev, which Debian 13's cloud-init would have tell it of interfaces that come later; and its
# interface no permanent address, by which netplan there knows the one to configure: so that file says the same by name.
IMAGE = {
    "etc/cloud/cloud.cfg.d/95_ec2.cfg": """\
datasource_list: [Hetzner, Ec2]
updates: {network: {when: [boot-new-instance]}}
""",
    "etc/cloud/ds-identify.cfg": "policy: search,found=all,maybe=none,notfound=enabled\n",
    "etc/systemd/network/05-by-name.network": f"""\
[Match]
Name={INTERFACE}
[Network]
DHCP=yes
LinkLocalAddressing=ipv6
[DHCP]
RouteMetric=100
UseMTU=true
""",
}


class Instances:
    def __init__(self, store: Store, ec2: Ec2, machines: Machines, landlord: Landlord) -> None:
        self._store, self._ec2, self._machines, self._landlord = store, ec2, machines, landlord
        self._vpcs = Vpcs(Path("/run/jitsi-fleet-vpcs"))
        self._rebooted: dict[int, int] = {}  # by number: the reboots that were done
        ec2.leave_to_hosts()

    def metadata(self) -> list[Route]:
        return metadata.routes(self._asking)

    async def start(self) -> None:
        """There are none: EC2's state is in memory."""

    async def follow(self) -> None:
        found = [doc for _, doc in self._all()]
        for doc in found:
            if self._due(doc) and not self._machines.one_at_a_time[doc["id"]].locked():
                self._landlord.spawn(self._bring_about(doc["id"]))
        await self._rules(found)
        await self._vpcs.forget({doc["vpc"] for doc in found})

    def known(self) -> set[int]:
        return {doc["id"] for _, doc in self._all()}

    async def unplug(self, number: int) -> None:
        await self._vpcs.unplug(number)

    def ended(self, machine: Machine, reboots: bool) -> None:
        """Halted from the inside it is stopped, or ends where it was launched so."""
        found = self._find(machine.server)
        if found is None or found[1]["status"] != "running":
            return
        if reboots:
            self._landlord.spawn(self._bring_about(machine.server, again=True))
        else:
            state = "terminated" if found[1]["halt"] == "terminate" else "stopped"
            self._ec2.became(*found, state, "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
            self._landlord.moved()

    def report(self) -> list[Doc]:
        return [
            report.entry(
                self._machines,
                doc["id"],
                name=_name(doc),
                instance=doc["instance"],
                status=doc["status"],
                public=doc["public_ipv4"],
                private=[doc["private_ipv4"]],
            )
            for _, doc in self._all()
        ]

    def public(self) -> dict[int, Host]:
        found = {}
        for _, doc in self._all():
            machine = self._machines.find(doc["id"])
            if machine and machine.init and rules.mapped(doc):
                public = doc["public_ipv4"]
                found[doc["id"]] = Host(public, addresses.inside(public), doc["private_ipv4"], machine.init)
        return found

    def allowed(self, number: int, protocol: str, port: int, client: str) -> bool:
        found = self._find(number)
        return found is not None and rules.allowed(found[1], self._groups(), protocol, port, client)

    def _due(self, doc: Doc) -> bool:
        return bool(doc["by_host"]) or (
            doc["status"] == "running" and doc["reboots"] > self._rebooted.get(doc["id"], 0)
        )

    async def _bring_about(self, number: int, *, again: bool = False) -> None:
        """What is due; `again`: it has rebooted itself."""
        async with self._machines.one_at_a_time[number]:
            found = self._find(number)
            if found is None or not (again or self._due(found[1])):
                return
            _, doc = found
            state, reason = doc["status"], ""
            try:
                state = await self._done(doc)
            except Exception as problem:
                if not isinstance(problem, (BootError, CommandError, OSError)):
                    traceback.print_exc()
                print(f"{_name(doc)}: {problem}", flush=True)
                state, reason = "terminated", f"Server.InternalError: {problem}"
            now = self._find(number)
            # Whatever was asked for meanwhile is due next.
            if now is not None and (now[1]["status"] == doc["status"] or reason):
                self._ec2.became(*now, state, reason)
        self._landlord.moved()

    async def _done(self, doc: Doc) -> str:
        """The state that follows, when the host has done its part."""
        number = doc["id"]
        match doc["status"]:
            case "stopping":
                await self._shut_down(number)
                return "stopped"
            case "shutting-down":
                await self._shut_down(number)
                await self._machines.delete(number)
                await self._vpcs.unplug(number)
                return "terminated"
            case _:  # pending, or running and asked to reboot
                if doc["status"] == "running":
                    await self._shut_down(number)
                self._rebooted[number] = doc["reboots"]
                await self._boot(doc)
                return "running"

    async def _boot(self, doc: Doc) -> None:
        number, image = doc["id"], "-".join(doc["image"].split("-")[:2])
        machine = self._machines.get(number)
        if machine.init is not None:
            return
        if not machine.has_disk:
            self._machines.create(number, image)
            for path, text in IMAGE.items():
                (machine.disk / path).parent.mkdir(parents=True, exist_ok=True)
                (machine.disk / path).write_text(text)
        await self._vpcs.plug_in(doc)
        await self._rules([each for _, each in self._all()])
        await machine.boot(doc["memory"] / 1000, firmware(doc))

    async def _shut_down(self, number: int) -> None:
        machine = self._machines.get(number)
        if not await machine.shut_down(ORDERLY_SECONDS):
            await self._vpcs.cut(number)
            await machine.kill()

    async def _rules(self, found: list[Doc]) -> None:
        """What cannot be put into force is said, and tried again after the next call."""
        try:
            await self._vpcs.apply(found, self._groups())
        except RulesetError as problem:
            print(problem, flush=True)

    def _asking(self, address: str) -> Doc | None:
        """The instance behind the address as which it asks the metadata service."""
        number = self._vpcs.asking(address)
        found = None if number is None else self._find(number)
        return found[1] if found else None

    def _all(self) -> list[tuple[str, Doc]]:
        """Every instance, with its owner."""
        return [(owner, doc) for owner in self._store.counts() for doc in self._store.all(INSTANCE, owner)]

    def _find(self, number: int) -> tuple[str, Doc] | None:
        return next(((owner, doc) for owner, doc in self._all() if doc["id"] == number), None)

    def _groups(self) -> dict[str, Doc]:
        return {doc["group"]: doc for owner in self._store.counts() for doc in self._store.all(GROUP, owner)}


def firmware(doc: Doc) -> dict[str, str]:
    """By this cloud-init knows EC2 (its DataSourceEc2): identifier and serial number are one, and begin with ec2."""
    number = "ec2" + re.sub("[^0-9a-f]", "", doc["instance"])[:17].ljust(29, "0")
    identifier = f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:32]}"
    return {
        "system-manufacturer": "Amazon EC2",
        "system-product-name": doc["type"],
        "system-serial-number": identifier,
        "system-uuid": identifier,
        "chassis-asset-tag": doc["instance"],
    }


def _name(doc: Doc) -> str:
    """EC2 has no names, and two instances may have one tag Name: so with the end of its id, as others are named."""
    name = doc["tags"].get("Name")
    return f"{name}-{doc['instance'][-7:]}" if name else str(doc["instance"])
