"""A booted cluster at AWS, and what only that cloud's hosts are asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local_cloud.aws.images import OWNER
from tests.booted.booted import Cluster, Host, eventually
from tests.level3_applied.applied import Workshop
from tests.level3_applied.machines import AwsMachines

GONE = ("shutting-down", "terminated")


class AwsCluster(Cluster):
    def __init__(self, workshop: Workshop, **config: Any) -> None:
        super().__init__(workshop, **config)
        assert isinstance(workshop.machines, AwsMachines)
        self.machines = workshop.machines

    @property
    def client(self) -> Any:
        return self.machines.client

    def instance(self, host: Host) -> dict[str, Any]:
        """As the API shows it now."""
        asked = self.client.describe_instances(InstanceIds=[host.entry["instance"]])
        found: dict[str, Any] = asked["Reservations"][0]["Instances"][0]
        return found

    def reboot(self, *hosts: Host) -> None:
        """By the API, until each has booted again."""
        since = [host.entry["since"] for host in hosts]
        self.client.reboot_instances(InstanceIds=[host.entry["instance"] for host in hosts])
        for host, was in zip(hosts, since, strict=True):
            eventually(lambda host=host, was=was: host.entry["since"] not in (None, was), 60)  # type: ignore[misc]
            eventually(lambda host=host: host.entry["cloud_init"] == "done", 120)  # type: ignore[misc]

    @contextmanager
    def neighbour(self, of: Host) -> Iterator[Host]:
        """An instance in the same subnet, with an address that the hosts' own filters take for a bridge's.

        Only its security group is another one: it lets everything out and nothing in.
        """
        there = self.instance(of)
        asked = self.client.describe_images(
            Owners=[OWNER], Filters=[{"Name": "image-id", "Values": [there["ImageId"]]}]
        )
        group = self.client.create_security_group(GroupName="neighbour", Description="none", VpcId=there["VpcId"])
        interface = {
            "DeviceIndex": 0,
            "SubnetId": there["SubnetId"],
            "Groups": [group["GroupId"]],
            "AssociatePublicIpAddress": True,
            "Ipv6AddressCount": 1,
        }
        id = self.client.run_instances(
            MinCount=1,
            MaxCount=1,
            ImageId=asked["Images"][0]["ImageId"],
            InstanceType="c7i.large",
            NetworkInterfaces=[interface],
        )["Instances"][0]["InstanceId"]
        try:
            (name,) = [host["name"] for host in self.workshop.cloud.admin.hosts() if host["instance"] == id]
            host = Host(self, name)
            eventually(lambda: host.entry["cloud_init"] == "done", 120)
            yield host
        finally:
            self.client.terminate_instances(InstanceIds=[id])
            eventually(lambda: id not in {host["instance"] for host in self.workshop.cloud.admin.hosts()}, 60)
            self.client.delete_security_group(GroupId=group["GroupId"])
