"""Level 3, one part alone: the aws double's instance on the embedded cloud's EC2: its life, its changes, its faults.

Not held to recordings: there are none (local_cloud/plugins/aws/__init__.py).
"""

import base64
import gzip
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.process import LocalCloud
from tests.ec2 import DEBIAN
from tests.plugins import aws_cloud
from tests.plugins.aws_cloud import Account, Made
from tests.plugins.test_aws import EIP, GATEWAY, GROUP, PLACEMENT, SUBNET, VPC, leaves_at_a_refresh, never_differs

INSTANCE = "aws:ec2/instance:Instance"
TEXT = base64.b64encode(gzip.compress(b"#cloud-config\n", mtime=0)).decode()
OTHER = base64.b64encode(gzip.compress(b"#cloud-config\nhostname: other\n", mtime=0)).decode()


@dataclass
class Place:
    """A network with everything that an instance of a cluster needs."""

    account: Account
    net: list[Made] = field(default_factory=list)

    def __post_init__(self) -> None:
        make = self.account.make
        vpc = make(VPC, cidrBlock="10.80.0.0/16", assignGeneratedIpv6CidrBlock=True)
        block = vpc.outputs["ipv6CidrBlock"].replace("::/56", "::/64")
        zone = {"availabilityZone": "eu-central-1a", "ipv6CidrBlock": block}
        subnet = make(SUBNET, vpcId=vpc.id, cidrBlock="10.80.32.0/24", **zone)
        gateway, group = make(GATEWAY, vpcId=vpc.id), make(GROUP, vpcId=vpc.id, name="bridge")
        self.net = [subnet, group, make(PLACEMENT, strategy="spread", name="bridge-1"), gateway, vpc]
        self.account.actions()

    def inputs(self, **more: Any) -> dict[str, Any]:
        subnet, group, placement, *_ = self.net
        wanted = {
            "ami": self.account.image(),
            "instanceType": "c7i.xlarge",
            "subnetId": subnet.id,
            "vpcSecurityGroupIds": [group.id],
            "placementGroup": placement.id,
            "associatePublicIpAddress": True,
            "ipv6AddressCount": 1,
            "userDataBase64": TEXT,
            "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled", "httpPutResponseHopLimit": 1},
            "rootBlockDevice": {"volumeType": "gp3", "volumeSize": 20, "encrypted": True},
            "tags": {"role": "bridge"},
            "volumeTags": {"role": "bridge"},
        } | more
        return {key: value for key, value in wanted.items() if value is not None}

    def instance(self, **more: Any) -> Made:
        return self.account.make(INSTANCE, **self.inputs(**more))


@pytest.fixture
def place(account: Account) -> Place:
    return Place(account)


def test_the_newest_image_of_an_owner_is_found_by_its_pattern(account: Account) -> None:
    found = account.invoke("debian-12-amd64-*")
    assert found["name"] == "debian-12-amd64-20261109-2293"
    assert (found["ownerId"], found["architecture"], found["rootDeviceName"]) == (
        DEBIAN,
        "x86_64",
        "/dev/xvda",
    )
    assert account.invoke("debian-13-arm64-*")["architecture"] == "arm64"
    with pytest.raises(grpc.RpcError, match="Your query returned no results"):
        account.invoke("debian-14-*")
    with pytest.raises(grpc.RpcError, match="more than one result"):
        account.invoke("debian-12-*", most_recent=False)


def test_an_instance_is_as_it_was_asked_for_and_never_differs_by_itself(account: Account, place: Place) -> None:
    made = place.instance()
    assert account.actions() == ["RunInstances 200"]
    assert made.id.startswith("i-")
    said = made.outputs
    assert said["instanceState"] == "running"
    assert said["publicIp"].startswith("127.90.")
    assert said["privateIp"].startswith("10.80.32.")
    assert (said["availabilityZone"], said["placementGroup"]) == ("eu-central-1a", "bridge-1")
    assert len(said["ipv6Addresses"]) == 1
    assert said["userDataBase64"] == TEXT, "in clear, since version 7"
    assert said["metadataOptions"]["httpTokens"] == "required"
    disk = said["rootBlockDevice"]
    assert (disk["volumeSize"], disk["volumeType"], disk["encrypted"]) == (20, "gp3", True)
    assert (disk["iops"], disk["throughput"], disk["deleteOnTermination"]) == (3000, 125, True)
    assert said["volumeTags"] == {"role": "bridge"}
    never_differs(made)
    account.actions()
    leaves_at_a_refresh(made)
    assert account.actions()[0] == "TerminateInstances 200"


def test_what_is_left_out_is_filled_in_and_no_difference(place: Place) -> None:
    made = place.instance(
        **dict.fromkeys(
            ("userDataBase64", "metadataOptions", "rootBlockDevice", "tags", "volumeTags", "placementGroup")
        ),
        associatePublicIpAddress=None,
    )
    assert made.outputs["publicIp"] == ""
    never_differs(made)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ami": "ami-other"}, {"ami": "UPDATE_REPLACE"}),
        ({"subnetId": "subnet-other"}, {"subnetId": "UPDATE_REPLACE"}),
        ({"placementGroup": "other"}, {"placementGroup": "UPDATE_REPLACE"}),
        ({"keyName": "other"}, {"keyName": "UPDATE_REPLACE"}),
        ({"associatePublicIpAddress": False}, {"associatePublicIpAddress": "UPDATE_REPLACE"}),
        ({"ipv6AddressCount": 2}, {"ipv6AddressCount": "UPDATE_REPLACE"}),
        (
            {"rootBlockDevice": {"volumeType": "gp3", "volumeSize": 20, "encrypted": False}},
            {"rootBlockDevice.encrypted": "UPDATE_REPLACE"},
        ),
        (
            {"rootBlockDevice": {"volumeType": "gp3", "volumeSize": 30, "encrypted": True}},
            {"rootBlockDevice.volumeSize": "UPDATE"},
        ),
        ({"instanceType": "c7i.2xlarge"}, {"instanceType": "UPDATE"}),
        ({"userDataBase64": OTHER}, {"userDataBase64": "UPDATE"}),
        ({"vpcSecurityGroupIds": ["sg-other"]}, {"vpcSecurityGroupIds[0]": "UPDATE"}),
        ({"disableApiTermination": True}, {"disableApiTermination": "UPDATE"}),
        ({"tags": {"role": "x"}}, {"tags.role": "UPDATE"}),
    ],
)
def test_what_a_change_does(walked: Made, changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert walked.kinds(**changes) == expected


@pytest.fixture(scope="module")
def walked(ec2_cloud: LocalCloud) -> Iterator[Made]:
    """One instance for many questions that change nothing."""
    with aws_cloud.account(ec2_cloud) as account:
        yield Place(account).instance()


def test_user_data_replaces_only_where_that_is_asked_for(place: Place) -> None:
    made = place.instance(userDataReplaceOnChange=True)
    assert made.kinds(userDataBase64=OTHER) == {"userDataBase64": "UPDATE_REPLACE"}


def test_type_and_user_data_are_changed_by_a_stop_and_a_start_each(account: Account, place: Place) -> None:
    """Calls end, and the public address is another one: never what a cluster wants."""
    made = place.instance()
    before = made.outputs["publicIp"]
    account.actions()
    made.update(instanceType="c7i.2xlarge", userDataBase64=OTHER)
    assert account.actions() == ["StopInstances 200", "ModifyInstanceAttribute 200", "StartInstances 200"] * 2
    assert (made.outputs["instanceType"], made.outputs["userDataBase64"]) == ("c7i.2xlarge", OTHER)
    assert made.outputs["publicIp"] != before
    never_differs(made)


def test_what_changes_while_it_runs(account: Account, place: Place) -> None:
    made = place.instance()
    group = account.make(GROUP, vpcId=place.net[-1].id, name="other")
    account.actions()
    made.update(
        vpcSecurityGroupIds=[group.id],
        disableApiTermination=True,
        sourceDestCheck=False,
        tags={"role": "x"},
        volumeTags={"role": "x"},
        rootBlockDevice={"volumeType": "gp3", "volumeSize": 30, "encrypted": True},
        metadataOptions={"httpTokens": "optional", "httpEndpoint": "enabled", "httpPutResponseHopLimit": 2},
    )
    assert account.actions() == [
        "CreateTags 200",
        "ModifyInstanceAttribute 200",
        "ModifyNetworkInterfaceAttribute 200",
        "ModifyInstanceAttribute 200",
        "ModifyInstanceMetadataOptions 200",
        "ModifyVolume 200",
        "CreateTags 200",
    ]
    assert made.outputs["vpcSecurityGroupIds"] == [group.id]
    never_differs(made)


def test_a_protected_instance_is_terminated_only_after_its_protection_has_gone(place: Place) -> None:
    made = place.instance(disableApiTermination=True)
    with pytest.raises(grpc.RpcError) as refused:
        made.delete()
    assert f"terminating EC2 Instance ({made.id}): operation error EC2: TerminateInstances" in str(
        refused.value.details()
    )
    assert "api error OperationNotPermitted: The instance" in str(refused.value.details())
    made.update(disableApiTermination=False)
    leaves_at_a_refresh(made)


def test_an_address_of_its_own_moves_from_instance_to_instance(account: Account, place: Place) -> None:
    first, second = place.instance(associatePublicIpAddress=False), place.instance(associatePublicIpAddress=False)
    never_differs(first)
    address = account.make(EIP, domain="vpc", instance=first.id)
    never_differs(address)
    assert address.outputs["privateIp"] == first.outputs["privateIp"]
    assert first.read()
    assert first.outputs["publicIp"] == address.outputs["publicIp"]
    # As the source has it: an Elastic IP counts as a public address, so an explicit false differs after a refresh.
    assert first.kinds(associatePublicIpAddress=False) == {"associatePublicIpAddress": "UPDATE_REPLACE"}
    assert address.kinds(instance=second.id) == {"instance": "UPDATE"}
    address.update(instance=second.id)
    assert address.outputs["privateIp"] == second.outputs["privateIp"]
    second.delete()
    assert address.read(), "it outlives the instance"
    address.delete()
    assert not address.read()


def test_an_instance_terminated_by_hand_leaves_the_state_at_a_refresh(account: Account, place: Place) -> None:
    made = place.instance()
    account.ec2.terminate_instances(InstanceIds=[made.id])
    deadline = time.monotonic() + 10
    while made.read() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not made.read()


@pytest.mark.parametrize(
    ("code", "status"),
    [("InsufficientInstanceCapacity", 500), ("VcpuLimitExceeded", 400), ("InstanceLimitExceeded", 400)],
)
def test_a_refusal_is_named_and_not_tried_again(account: Account, place: Place, code: str, status: int) -> None:
    inputs = place.inputs()
    account.actions()
    account.fault("RunInstances", {"code": code, "message": "on purpose"})
    text = account.refusal(INSTANCE, **inputs)
    assert (
        f"creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: {status}" in text
    )
    assert f"api error {code}: on purpose" in text
    assert account.actions() == [f"RunInstances {status}"]


def test_throttling_and_a_short_trouble_are_waited_out(account: Account, place: Place) -> None:
    inputs = place.inputs()
    account.actions()
    account.fault("RunInstances", {"code": "RequestLimitExceeded"}, nth=1)
    account.fault("RunInstances", {"code": "InternalError"}, nth=2)
    account.make(INSTANCE, **inputs)
    assert account.actions() == ["RunInstances 503", "RunInstances 500", "RunInstances 200"]


def test_a_connection_that_breaks_off_after_the_effect_makes_no_second_instance(account: Account, place: Place) -> None:
    """Each call is known by a token of its own."""
    inputs = place.inputs()
    account.actions()
    account.fault("RunInstances", {"cut": "after"})
    made = account.make(INSTANCE, **inputs)
    assert account.actions() == ["RunInstances 0", "RunInstances 200"]
    found = account.ec2.describe_instances()["Reservations"]
    assert [instance["InstanceId"] for one in found for instance in one["Instances"]] == [made.id]


def test_an_instance_that_ends_while_it_begins_stays_in_the_state(account: Account, place: Place) -> None:
    inputs, _ = account.check(INSTANCE, place.inputs())
    account.fault("RunInstances", {"action_error": {"code": "Server.InternalError", "message": "on purpose"}})
    with pytest.raises(grpc.RpcError) as failed:
        account.plugin.call("Create", {"urn": aws_cloud.urn(INSTANCE), "properties": inputs})
    text = str(failed.value.details())
    assert "create: unexpected state 'terminated', wanted target 'running'" in text
    assert "Server.InternalError: on purpose" in text
    assert dict(failed.value.trailing_metadata())["grpc-status-details-bin"], "with its id, for the state"


def test_user_data_beyond_16_kib_is_refused(account: Account, place: Place) -> None:
    text = base64.b64encode(secrets.token_bytes(16385)).decode()
    assert "User data is limited to 16384 bytes" in account.refusal(INSTANCE, **place.inputs(userDataBase64=text))


@pytest.mark.parametrize(
    "wrong",
    [{"userData": "x"}, {"userDataBase64": "not base64"}, {"ami": None}, {"cpuOptions": {"coreCount": 1}}],
)
def test_what_cannot_be_is_refused_before_any_call(account: Account, place: Place, wrong: dict[str, Any]) -> None:
    inputs = {key: value for key, value in (place.inputs() | wrong).items() if value is not None}
    assert len(account.check(INSTANCE, inputs)[1]) == 1
