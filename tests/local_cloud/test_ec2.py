"""EC2 of the embedded cloud, driven by AWS's own client: what was mended in moto, its faults, its log."""

import base64
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local_cloud import process
from local_cloud.process import LocalCloud
from tests.ec2 import DEBIAN, REGION, Keys

from .conftest import ACTION_SECONDS


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    handle = process.start(tmp_path_factory.mktemp("aws"), action_seconds=ACTION_SECONDS, aws=True)
    yield handle
    handle.stop()


@pytest.fixture
def ec2(cloud: LocalCloud) -> Any:
    return client(cloud)


def client(cloud: LocalCloud, key: str | None = None) -> Any:
    """A client of an account of its own; it tries nothing again."""
    keys = Keys(key) if key else Keys()
    return keys.client(cloud, config=Config(retries={"total_max_attempts": 1}))


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def make_subnet(ec2: Any, zone: str = "a") -> str:
    vpc = ec2.create_vpc(CidrBlock="10.80.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("::/56", "::/64")
    where = {"VpcId": vpc["VpcId"], "AvailabilityZone": REGION + zone}
    return str(ec2.create_subnet(CidrBlock="10.80.16.0/24", Ipv6CidrBlock=block, **where)["Subnet"]["SubnetId"])


def run(ec2: Any, subnet: str, *, wait: bool = True, **more: Any) -> Any:
    images = ec2.describe_images(Owners=[DEBIAN])["Images"]
    wanted = {"ImageId": images[0]["ImageId"], "InstanceType": "c7i.xlarge", "SubnetId": subnet, **more}
    made = ec2.run_instances(MinCount=1, MaxCount=1, **wanted)["Instances"][0]
    if wait:
        until(ec2, made["InstanceId"], "running")
    return made


def instance(ec2: Any, id: str) -> Any:
    return ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def until(ec2: Any, id: str, state: str) -> None:
    deadline = time.monotonic() + 10
    while instance(ec2, id)["State"]["Name"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_being_asked_for_there_is_no_ec2(tmp_path: Any) -> None:
    handle = process.start(tmp_path / "state")
    try:
        assert requests.post(handle.ec2_url, timeout=10).status_code == 404
    finally:
        handle.stop()


def test_debians_images_are_its_own_and_there_are_several_of_each_release(ec2: Any) -> None:
    filters = [{"Name": "name", "Values": ["debian-12-arm64-*"]}]
    images = ec2.describe_images(Owners=[DEBIAN], Filters=filters)["Images"]
    assert len(images) > 1
    assert {(image["Architecture"], image["OwnerId"]) for image in images} == {("arm64", DEBIAN)}
    assert ec2.describe_images(Owners=["self"])["Images"] == []


def test_an_instance_begins_stops_and_ends_in_time_of_its_own(ec2: Any) -> None:
    made = run(ec2, make_subnet(ec2), wait=False, Ipv6AddressCount=1)
    id = made["InstanceId"]
    assert made["State"]["Name"] == "pending"
    until(ec2, id, "running")
    assert len(instance(ec2, id)["NetworkInterfaces"][0]["Ipv6Addresses"]) == 1
    assert ec2.stop_instances(InstanceIds=[id])["StoppingInstances"][0]["CurrentState"]["Name"] == "stopping"
    until(ec2, id, "stopped")
    ec2.start_instances(InstanceIds=[id])
    until(ec2, id, "running")
    ec2.terminate_instances(InstanceIds=[id])
    ec2.terminate_instances(InstanceIds=[id])
    until(ec2, id, "terminated")


def test_public_addresses_come_from_the_range_of_the_embedded_cloud(ec2: Any) -> None:
    subnet = make_subnet(ec2)
    public = {"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": True}
    images = ec2.describe_images(Owners=[DEBIAN])["Images"]
    wanted = {"ImageId": images[0]["ImageId"], "InstanceType": "c7i.xlarge", "NetworkInterfaces": [public]}
    id = ec2.run_instances(MinCount=1, MaxCount=1, **wanted)["Instances"][0]["InstanceId"]
    until(ec2, id, "running")
    first = instance(ec2, id)["PublicIpAddress"]
    fixed = ec2.allocate_address(Domain="vpc")
    assert first.startswith("127.90.")
    assert fixed["PublicIp"].startswith("127.90.")
    assert fixed["PublicIp"] != first
    ec2.associate_address(AllocationId=fixed["AllocationId"], InstanceId=id)
    assert instance(ec2, id)["PublicIpAddress"] == fixed["PublicIp"]


def test_a_spread_group_holds_seven_running_instances_in_each_zone(ec2: Any) -> None:
    ec2.create_placement_group(GroupName="bridges", Strategy="spread")
    subnet = make_subnet(ec2)
    group: dict[str, Any] = {"Placement": {"GroupName": "bridges"}}
    first, *_ = (run(ec2, subnet, wait=False, **group)["InstanceId"] for _ in range(7))
    with pytest.raises(ClientError) as refused:
        run(ec2, subnet, **group)
    assert code_of(refused) == "InstanceLimitExceeded"
    run(ec2, make_subnet(ec2, "b"), wait=False, **group)
    ec2.terminate_instances(InstanceIds=[first])
    until(ec2, first, "terminated")
    run(ec2, subnet, **group)
    with pytest.raises(ClientError) as refused:
        ec2.delete_placement_group(GroupName="bridges")
    assert code_of(refused) == "InvalidPlacementGroup.InUse"


def test_the_group_of_an_instance_is_told(ec2: Any) -> None:
    tags = [{"ResourceType": "placement-group", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = ec2.create_placement_group(GroupName="one", Strategy="spread", TagSpecifications=tags)["PlacementGroup"]
    assert (made["State"], made["Tags"]) == ("available", [{"Key": "a", "Value": "b"}])
    id = run(ec2, make_subnet(ec2), Placement={"GroupName": "one"})["InstanceId"]
    assert instance(ec2, id)["Placement"]["GroupName"] == "one"
    ec2.create_tags(Resources=[made["GroupId"]], Tags=[{"Key": "a", "Value": "c"}])
    assert ec2.describe_placement_groups(GroupNames=["one"])["PlacementGroups"][0]["Tags"][0]["Value"] == "c"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobody's"}, "InvalidKeyPair.NotFound"),
        ({"Placement": {"GroupName": "nobody's"}}, "InvalidPlacementGroup.Unknown"),
        ({"UserData": "x" * 16385}, "InvalidParameterValue"),
    ],
)
def test_what_does_not_exist_or_is_too_much_is_refused(ec2: Any, wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        run(ec2, make_subnet(ec2), **wrong)
    assert code_of(refused) == code
    assert ec2.describe_instances()["Reservations"] == []


def test_a_request_that_comes_twice_makes_one_instance(ec2: Any) -> None:
    subnet, token = make_subnet(ec2), secrets.token_hex(8)
    made = [run(ec2, subnet, ClientToken=token)["InstanceId"] for _ in range(2)]
    assert made[0] == made[1]


def test_a_fault_hits_an_action_by_name(cloud: LocalCloud, ec2: Any) -> None:
    match = {"api": "ec2", "path": "^/RunInstances$"}
    cloud.admin.fault(match=match, fault={"code": "InsufficientInstanceCapacity", "message": "on purpose"}, nth=2)
    subnet = make_subnet(ec2)
    run(ec2, subnet)
    with pytest.raises(ClientError) as refused:
        run(ec2, subnet)
    assert refused.value.response["Error"] == {"Code": "InsufficientInstanceCapacity", "Message": "on purpose"}
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    run(ec2, subnet)


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_connection_is_cut_before_or_after_the_effect(cloud: LocalCloud, ec2: Any, when: str, made: int) -> None:
    subnet = make_subnet(ec2)
    cloud.admin.fault(match={"api": "ec2", "path": "^/RunInstances$"}, fault={"cut": when})
    with pytest.raises(ConnectionClosedError):
        run(ec2, subnet)
    assert len(ec2.describe_instances()["Reservations"]) == made


def test_a_launch_that_fails_ends_the_instance_and_says_why(cloud: LocalCloud, ec2: Any) -> None:
    error = {"code": "Server.InternalError", "message": "on purpose"}
    cloud.admin.fault(match={"api": "ec2", "path": "^/RunInstances$"}, fault={"action_error": error})
    id = run(ec2, make_subnet(ec2), wait=False)["InstanceId"]
    until(ec2, id, "terminated")
    assert instance(ec2, id)["StateReason"]["Message"] == "Server.InternalError: on purpose"
    held = {"Name": "attachment.instance-id", "Values": [id]}
    assert ec2.describe_network_interfaces(Filters=[held])["NetworkInterfaces"] == [], "it would keep its subnet"


def test_the_log_has_actions_and_parameters_and_nothing_secret(cloud: LocalCloud, ec2: Any) -> None:
    secret = secrets.token_hex(16)
    since = cloud.admin.log()[-1:][0]["n"]
    run(ec2, make_subnet(ec2), UserData=secret)
    calls = [call for call in cloud.admin.log(since) if call["path"] == "/RunInstances"]
    assert [(call["api"], call["method"], call["status"]) for call in calls] == [("ec2", "POST", 200)]
    assert "InstanceType=c7i.xlarge" in calls[0]["query"]
    log = (cloud.state / "calls.jsonl").read_text()
    assert secret not in log
    assert base64.b64encode(secret.encode()).decode() not in log


def test_each_access_key_is_an_account_of_its_own(cloud: LocalCloud, ec2: Any) -> None:
    run(ec2, make_subnet(ec2))
    assert client(cloud).describe_instances()["Reservations"] == []


def test_an_action_that_nobody_emulates_is_refused_and_not_an_error_of_the_server(ec2: Any) -> None:
    with pytest.raises(ClientError) as refused:
        ec2.describe_capacity_blocks()
    assert code_of(refused) == "InvalidAction"


def test_instances_are_in_the_state_for_whoever_makes_hosts_of_them(tmp_path: Any) -> None:
    """As documents of the kind `instance`: they come, change and go with the calls (docs/local-cloud.md)."""
    handle = process.start(tmp_path / "state", action_seconds=0, aws=True)
    try:
        ec2 = client(handle)
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "bridge"}]}]
        id = run(ec2, make_subnet(ec2), UserData="#cloud-config", TagSpecifications=tags)["InstanceId"]
        (document,) = documents(handle)
        assert (document["instance"], document["status"], document["tags"]) == (id, "running", {"role": "bridge"})
        assert base64.b64decode(document["user_data"]) == b"#cloud-config"
        assert document["image"].startswith("debian-")
        ec2.terminate_instances(InstanceIds=[id])
        until(ec2, id, "terminated")
        assert documents(handle) == []
    finally:
        handle.stop()


def documents(cloud: LocalCloud) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{cloud.state}/cloud.sqlite?mode=ro", uri=True) as state:
        return [json.loads(text) for (text,) in state.execute("SELECT doc FROM objects WHERE kind = 'instance'")]


def test_a_reset_empties_it(tmp_path: Any) -> None:
    handle = process.start(tmp_path / "state", aws=True)
    try:
        ec2 = client(handle)
        run(ec2, make_subnet(ec2))
        handle.admin.reset()
        assert ec2.describe_instances()["Reservations"] == []
    finally:
        handle.stop()


@pytest.fixture(autouse=True)
def _no_faults_left(cloud: LocalCloud) -> Iterator[None]:
    yield
    cloud.admin.clear_faults()
