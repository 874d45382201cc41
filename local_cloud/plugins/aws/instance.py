"""aws.ec2.Instance: what it is, its creation and removal. What changes in place: instance_changes.py.

Its state: instance_state.py. A read makes the calls of the real one but those for types, credits and separate tags.
"""

import base64
import binascii
import uuid
from typing import Any, ClassVar

from local_cloud.plugins import diffs
from local_cloud.plugins.aws import instance_changes, instance_state
from local_cloud.plugins.aws.api import MINUTE, Refused, doing, if_there, until
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import UNKNOWN, Values, is_empty, without_marks

GONE = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
CREATE, UPDATE, DELETE = 10 * MINUTE, 10 * MINUTE, 20 * MINUTE
USER_DATA = 16384
METADATA = ("httpEndpoint", "httpTokens", "httpPutResponseHopLimit", "httpProtocolIpv6", "instanceMetadataTags")
DISK = ("deviceName", "encrypted", "iops", "kmsKeyId", "tagsAll", "throughput", "volumeId", "volumeSize", "volumeType")
DISK_REPLACES = ("rootBlockDevice.encrypted", "rootBlockDevice.kmsKeyId")
REPLACED_WITH_USER_DATA = ("userData", "userDataBase64")


class Instance(AwsResource):
    """A virtual machine."""

    type = "aws:ec2/instance:Instance"
    label = "EC2 Instance"
    tagged = "instance"
    inputs: ClassVar = {
        "ami": Input(filled=True, replaces=True),
        "associatePublicIpAddress": Input(filled=True, replaces=True),
        "availabilityZone": Input(filled=True, replaces=True),
        "disableApiStop": Input(filled=True),
        "disableApiTermination": Input(filled=True),
        "ebsOptimized": Input(filled=True, replaces=True),
        "forceDestroy": Input(default=False),
        "getPasswordData": Input(default=False),
        "instanceInitiatedShutdownBehavior": Input(filled=True),
        "instanceType": Input(filled=True),
        "ipv6AddressCount": Input(filled=True, replaces=True),
        "keyName": Input(filled=True, replaces=True),
        "metadataOptions": Input(filled=True, nested=frozenset(METADATA)),
        "monitoring": Input(filled=True),
        "placementGroup": Input(filled=True, replaces=True),
        "privateIp": Input(filled=True, replaces=True),
        "rootBlockDevice": Input(filled=True, nested=frozenset(DISK)),
        "sourceDestCheck": Input(default=True),
        "subnetId": Input(filled=True, replaces=True),
        "tenancy": Input(filled=True, replaces=True),
        "userData": Input(filled=True),
        "userDataBase64": Input(filled=True),
        "userDataReplaceOnChange": Input(default=False),
        "volumeTags": Input(),
        "vpcSecurityGroupIds": Input(filled=True, unordered=True),
        **REGION,
        **TAGS,
    }
    absent = (
        "capacityReservationSpecification",
        "cpuOptions",
        "creditSpecification",
        "ebsBlockDevices",
        "enablePrimaryIpv6",
        "enclaveOptions",
        "ephemeralBlockDevices",
        "hibernation",
        "hostId",
        "hostResourceGroupArn",
        "iamInstanceProfile",
        "instanceMarketOptions",
        "ipv6Addresses",
        "launchTemplate",
        "maintenanceOptions",
        "networkInterfaces",
        "placementGroupId",
        "placementPartitionNumber",
        "primaryNetworkInterface",
        "privateDnsNameOptions",
        "secondaryNetworkInterfaces",
        "secondaryPrivateIps",
        "securityGroups",
    )
    computed = (
        "arn",
        "instanceLifecycle",
        "instanceState",
        "ipv6Addresses",
        "outpostArn",
        "passwordData",
        "placementGroupId",
        "primaryNetworkInterfaceId",
        "privateDns",
        "publicDns",
        "publicIp",
        "spotInstanceRequestId",
        "tagsAll",
    )

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        for key in ("ami", "instanceType"):
            if news.get(key) is None:
                failures[key] = f"one of `{_snake(key)},launch_template` must be specified"
        if not is_empty(news.get("userData")) and not is_empty(news.get("userDataBase64")):
            failures["userData"] = 'Conflicting configuration arguments: "user_data": conflicts with user_data_base64'
        if len(news.get("userData") or "") > USER_DATA:
            failures["userData"] = f"expected length of user_data to be in the range (0 - {USER_DATA})"
        if news.get("userDataBase64") not in (None, UNKNOWN) and not _is_base64(news["userDataBase64"]):
            failures["userDataBase64"] = "user_data_base64: must be base64-encoded"
        if news.get("getPasswordData"):
            failures["getPasswordData"] = "'getPasswordData' is not part of this double"
        return checked, failures

    def complete(self, key: str, value: Any) -> Any:
        """The bridge marks what it fills in inside an object; for a disk that is one thing."""
        if isinstance(value, dict) and key in ("metadataOptions", "rootBlockDevice"):
            filled = ["deleteOnTermination"] if key == "rootBlockDevice" and "deleteOnTermination" not in value else []
            return {"__defaults": filled, **dict.fromkeys(filled, True), **value}
        return value

    def diff(self, id: str, olds: Values, news: Values, old_inputs: Values) -> diffs.Diff:
        found = super().diff(id, olds, news, old_inputs)
        again = ("userDataReplaceOnChange", *REPLACED_WITH_USER_DATA) if news.get("userDataReplaceOnChange") else ()
        changes = {
            path: diffs.Change(
                change.kind,
                change.replaces or path in DISK_REPLACES or (path in again and path != "userDataReplaceOnChange"),
            )
            for path, change in found.changes.items()
        }
        return diffs.Diff(changes, found.touched, found.fixed, found.detailed, found.delete_first)

    def create(self, call: Call, inputs: Values) -> Created:
        with doing(f"creating {self.label}"):
            id = self.api.call("run_instances", **self._request(inputs))["Instances"][0]["InstanceId"]
        try:
            with doing(f"waiting for {self.label} ({id}) create"):
                until(call.cancelled, call.timeout or CREATE, "running", ("pending",), lambda: self.state_of(id))
            if inputs.get("sourceDestCheck") is False:
                self.api.call("modify_instance_attribute", InstanceId=id, SourceDestCheck={"Value": False})
            return Created(id, self.now(id, inputs))
        except Refused as error:
            raise self.partial(id, inputs, error) from error

    def state_of(self, id: str) -> tuple[str, str]:
        """The instance's state, and why; unknown for a moment after it was made."""
        answer = if_there(lambda: self.api.call("describe_instances", InstanceIds=[id]), *GONE)
        if not answer or not answer["Reservations"]:
            return "pending", ""
        (instance,) = answer["Reservations"][0]["Instances"]
        return instance["State"]["Name"], (instance.get("StateReason") or {}).get("Message", "")

    def _request(self, inputs: Values) -> Values:
        data = inputs.get("userDataBase64") or ""
        disk, options = inputs.get("rootBlockDevice"), without_marks(inputs.get("metadataOptions"))
        network: Values = {
            "SubnetId": inputs.get("subnetId"),
            "PrivateIpAddress": inputs.get("privateIp"),
            "Ipv6AddressCount": inputs.get("ipv6AddressCount"),
        }
        groups = inputs.get("vpcSecurityGroupIds")
        if inputs.get("associatePublicIpAddress") is None:
            network |= {"SecurityGroupIds": groups}
        else:
            # Only the description of an interface can say whether it gets a public address.
            public = {"DeviceIndex": 0, "AssociatePublicIpAddress": inputs["associatePublicIpAddress"]}
            interface = {**{k: v for k, v in network.items() if v is not None}, **public}
            network = {"NetworkInterfaces": [{**interface, "Groups": groups} if groups else interface]}
        placement = {
            "AvailabilityZone": inputs.get("availabilityZone"),
            "GroupName": inputs.get("placementGroup"),
            "Tenancy": inputs.get("tenancy"),
        }
        volumes = without_marks(inputs.get("volumeTags") or {})
        return {
            **network,
            "ImageId": inputs["ami"],
            "InstanceType": inputs["instanceType"],
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": uuid.uuid4().hex,
            "KeyName": inputs.get("keyName"),
            "UserData": base64.b64decode(data) if data else inputs.get("userData"),
            "MetadataOptions": {key[0].upper() + key[1:]: value for key, value in options.items()} if options else None,
            "BlockDeviceMappings": [self._disk(inputs["ami"], disk)] if disk else None,
            "Placement": {key: value for key, value in placement.items() if not is_empty(value)} or None,
            "Monitoring": {"Enabled": True} if inputs.get("monitoring") else None,
            "DisableApiTermination": inputs.get("disableApiTermination"),
            "DisableApiStop": inputs.get("disableApiStop"),
            "EbsOptimized": inputs.get("ebsOptimized"),
            "InstanceInitiatedShutdownBehavior": inputs.get("instanceInitiatedShutdownBehavior"),
            "TagSpecifications": self.tag_specifications(inputs, volume=volumes),
        }

    def _disk(self, ami: str, disk: Values) -> Values:
        """The root disk by the name that it has in the image, which is looked up."""
        images = self.api.call("describe_images", ImageIds=[ami])["Images"]
        if not images:
            raise Refused("", "finding root device name: couldn't find resource")
        names = {
            "VolumeType": "volumeType",
            "VolumeSize": "volumeSize",
            "Encrypted": "encrypted",
            "Iops": "iops",
            "Throughput": "throughput",
            "KmsKeyId": "kmsKeyId",
            "DeleteOnTermination": "deleteOnTermination",
        }
        wanted = {name: disk[key] for name, key in names.items() if disk.get(key) is not None}
        return {"DeviceName": images[0]["RootDeviceName"], "Ebs": {"DeleteOnTermination": True, **wanted}}

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        """What an update finds whose instance has gone is a guess: that there is nothing to read."""
        instance_changes.apply(self, call, id, olds, news)
        self.retag(id, olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:
        if olds.get("forceDestroy"):
            for switch in ("DisableApiTermination", "DisableApiStop"):
                off = {"InstanceId": id, switch: {"Value": False}}
                if_there(lambda: self.api.call("modify_instance_attribute", **off), *GONE)  # noqa: B023
        with doing(f"terminating {self.label} ({id})"):
            gone = if_there(lambda: self.api.call("terminate_instances", InstanceIds=[id]), *GONE) is None
        if gone:
            return
        pending = ("pending", "running", "shutting-down", "stopping", "stopped")
        with doing(f"waiting for {self.label} ({id}) delete"):
            until(call.cancelled, call.timeout or DELETE, "terminated", pending, lambda: self._ending(id))

    def _ending(self, id: str) -> tuple[str, str]:
        found = self.found(id)
        return (found["State"]["Name"], "") if found else ("terminated", "")

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_instances", InstanceIds=[id]), *GONE)
        if not answer or not answer["Reservations"]:
            return None
        found: Values = answer["Reservations"][0]["Instances"][0]
        return None if found["State"]["Name"] == "terminated" else found

    def outputs(self, found: Values, inputs: Values) -> Values:
        return instance_state.finished(self.api, found, inputs)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _is_base64(text: Any) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return False
    return True
