"""The state of an aws.ec2.Instance: EC2's description of it and the program's inputs in the plugin's words."""

import base64
from typing import Any

from local_cloud.plugins.aws.api import Api
from local_cloud.plugins.aws.aws_resource import plain_tags
from local_cloud.plugins.values import Values, is_empty

KEPT = ("forceDestroy", "getPasswordData", "userDataReplaceOnChange")
ATTRIBUTES = ("disableApiStop", "disableApiTermination", "instanceInitiatedShutdownBehavior", "userData")


def finished(api: Api, found: Values, inputs: Values) -> Values:
    """Return the state of an instance; `inputs` are the program's or, on refresh, the state."""
    id, placement = found["InstanceId"], found["Placement"]
    interfaces = [nic for nic in found.get("NetworkInterfaces", []) if nic["Attachment"]["DeviceIndex"] == 0]
    primary = interfaces[0] if interfaces else {}
    addresses = [address["Ipv6Address"] for address in primary.get("Ipv6Addresses", [])]
    attributes = {name: _attribute(api, id, name) for name in ATTRIBUTES}
    user_data = attributes.pop("userData") or ""
    disk, volumes = _disk(api, found)
    return {
        **{key: bool(inputs.get(key)) for key in KEPT},
        **attributes,
        "ami": found["ImageId"],
        "arn": api.arn(f"instance/{id}"),
        # An Elastic IP counts, too: after a refresh, an instance that has one looks as if made with a public address.
        "associatePublicIpAddress": bool((primary.get("Association") or {}).get("PublicIp")),
        "availabilityZone": placement["AvailabilityZone"],
        "ebsOptimized": found.get("EbsOptimized", False),
        "instanceLifecycle": found.get("InstanceLifecycle", ""),
        "instanceState": found["State"]["Name"],
        "instanceType": found["InstanceType"],
        "ipv6AddressCount": len(addresses),
        "ipv6Addresses": addresses,
        "keyName": found.get("KeyName", ""),
        "metadataOptions": _metadata(found.get("MetadataOptions") or {}),
        "monitoring": found["Monitoring"]["State"] in ("enabled", "pending"),
        "outpostArn": "",
        "passwordData": "",
        "placementGroup": placement.get("GroupName", ""),
        "placementGroupId": placement.get("GroupId", ""),
        "primaryNetworkInterfaceId": primary.get("NetworkInterfaceId", ""),
        "privateDns": found.get("PrivateDnsName", ""),
        "privateIp": found.get("PrivateIpAddress", ""),
        "publicDns": found.get("PublicDnsName", ""),
        "publicIp": found.get("PublicIpAddress", ""),
        "rootBlockDevice": disk,
        "sourceDestCheck": found.get("SourceDestCheck", True),
        "spotInstanceRequestId": "",
        "subnetId": found.get("SubnetId", ""),
        "tenancy": placement.get("Tenancy", ""),
        # What was read stands at the argument that the program used; since version 7 in clear, no longer hashed.
        "userDataBase64": user_data if not is_empty(inputs.get("userDataBase64")) else None,
        "userData": None if not is_empty(inputs.get("userDataBase64")) else _plain(user_data),
        "volumeTags": volumes,
        "vpcSecurityGroupIds": sorted(group["GroupId"] for group in found.get("SecurityGroups", [])),
    }


def _attribute(api: Api, id: str, name: str) -> Any:
    answer = api.call("describe_instance_attribute", InstanceId=id, Attribute=name)
    return (answer.get(name[0].upper() + name[1:]) or {}).get("Value")


def _plain(user_data: str) -> str | None:
    return base64.b64decode(user_data).decode(errors="replace") if user_data else None


def _metadata(options: Values) -> Values:
    names = ("HttpEndpoint", "HttpProtocolIpv6", "HttpPutResponseHopLimit", "HttpTokens", "InstanceMetadataTags")
    return {name[0].lower() + name[1:]: options.get(name) for name in names}


def _disk(api: Api, found: Values) -> tuple[Values | None, Values]:
    """The root disk, and the tags of a disk: the plugin reads those of one of them."""
    for mapping in found.get("BlockDeviceMappings", []):
        if mapping["DeviceName"] == found["RootDeviceName"]:
            (volume,) = api.call("describe_volumes", VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
            tags = plain_tags(volume.get("Tags"))
            disk = {
                "deleteOnTermination": mapping["Ebs"].get("DeleteOnTermination", True),
                "deviceName": mapping["DeviceName"],
                "encrypted": volume.get("Encrypted", False),
                "iops": volume.get("Iops", 0),
                "kmsKeyId": volume.get("KmsKeyId", ""),
                "tags": {},
                "tagsAll": {},
                "throughput": volume.get("Throughput", 0),
                "volumeId": volume["VolumeId"],
                "volumeSize": volume["Size"],
                "volumeType": volume["VolumeType"],
            }
            return disk, tags
    return None, {}
