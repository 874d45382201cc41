"""What of an aws.ec2.Instance changes in place, in the order of the plugin."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from local_cloud.plugins.aws.api import MINUTE, Refused, doing, until
from local_cloud.plugins.resource import Call
from local_cloud.plugins.values import Values, is_empty, without_marks

if TYPE_CHECKING:
    from local_cloud.plugins.aws.instance import Instance

STOP_AND_START = 10 * MINUTE
PENDING_STOP = ("pending", "running", "stopping", "shutting-down")


def apply(resource: Instance, call: Call, id: str, olds: Values, news: Values) -> None:
    """Make the calls for everything that differs; what the program leaves out stays as it is."""
    api = resource.api

    def changed(key: str) -> bool:
        old, new = without_marks(olds.get(key)), without_marks(news.get(key))
        return not is_empty(new) and old != new

    with doing(f"updating EC2 Instance ({id})"):
        _change_volume_tags(resource, id, olds, news)
        source_check = news.get("sourceDestCheck") is not False
        if source_check != (olds.get("sourceDestCheck") is not False):
            api.call("modify_instance_attribute", InstanceId=id, SourceDestCheck={"Value": source_check})
        if changed("vpcSecurityGroupIds") and sorted(olds.get("vpcSecurityGroupIds") or []) != sorted(
            news["vpcSecurityGroupIds"]
        ):
            with doing("modifying network interface"):
                nic = olds["primaryNetworkInterfaceId"]
                groups = news["vpcSecurityGroupIds"]
                api.call("modify_network_interface_attribute", NetworkInterfaceId=nic, Groups=groups)
    if changed("instanceType"):
        with doing(f"updating EC2 Instance ({id}) type"):
            _stopped(resource, call, id, InstanceType={"Value": news["instanceType"]})
    if changed("userData"):
        with doing(f"updating EC2 Instance ({id}) user data"):
            _stopped(resource, call, id, UserData={"Value": news["userData"].encode()})
    if changed("userDataBase64"):
        with doing(f"updating EC2 Instance ({id}) user data base64"):
            _stopped(resource, call, id, UserData={"Value": base64.b64decode(news["userDataBase64"])})
    with doing(f"updating EC2 Instance ({id})"):
        for key in ("disableApiStop", "disableApiTermination"):
            if news.get(key) is not None and bool(olds.get(key)) != news[key]:
                name = key[0].upper() + key[1:]
                api.call("modify_instance_attribute", InstanceId=id, **{name: {"Value": news[key]}})
        if changed("instanceInitiatedShutdownBehavior"):
            behavior = {"Value": news["instanceInitiatedShutdownBehavior"]}
            api.call("modify_instance_attribute", InstanceId=id, InstanceInitiatedShutdownBehavior=behavior)
        if news.get("monitoring") is not None and bool(olds.get("monitoring")) != news["monitoring"]:
            api.call("monitor_instances" if news["monitoring"] else "unmonitor_instances", InstanceIds=[id])
        if _differs(olds, news, "metadataOptions"):
            _change_metadata(api, id, without_marks(news["metadataOptions"]))
        if _differs(olds, news, "rootBlockDevice"):
            _change_disk(api, id, olds.get("rootBlockDevice") or {}, without_marks(news["rootBlockDevice"]))


def _differs(olds: Values, news: Values, key: str) -> bool:
    """Whether what the program says of an object is not what there is; what it leaves out is not compared."""
    old, new = olds.get(key) or {}, without_marks(news.get(key) or {})
    return any(old.get(name) != value for name, value in new.items())


def _stopped(resource: Instance, call: Call, id: str, **attribute: Any) -> None:
    """Stop, change, start: the calls on the instance end, and it gets another public address unless it has its own."""
    api, seconds = resource.api, call.timeout or STOP_AND_START
    with doing("stopping EC2 Instance"):
        api.call("stop_instances", InstanceIds=[id])
        until(call.cancelled, seconds, "stopped", PENDING_STOP, lambda: resource.state_of(id))
    api.call("modify_instance_attribute", InstanceId=id, **attribute)
    with doing("starting EC2 Instance"):
        api.call("start_instances", InstanceIds=[id])
        until(call.cancelled, seconds, "running", ("pending", "stopped"), lambda: resource.state_of(id))


def _change_volume_tags(resource: Instance, id: str, olds: Values, news: Values) -> None:
    old, new = without_marks(olds.get("volumeTags") or {}), without_marks(news.get("volumeTags") or {})
    if old == new:
        return
    filters = [{"Name": "attachment.instance-id", "Values": [id]}]
    for volume in resource.api.call("describe_volumes", Filters=filters)["Volumes"]:
        resource.api.retag(volume["VolumeId"], old, new)


def _change_metadata(api: Any, id: str, options: Values) -> None:
    names = {"httpEndpoint", "httpProtocolIpv6", "httpPutResponseHopLimit", "httpTokens", "instanceMetadataTags"}
    sent = {key[0].upper() + key[1:]: value for key, value in options.items() if key in names and not is_empty(value)}
    api.call("modify_instance_metadata_options", InstanceId=id, **sent)


def _change_disk(api: Any, id: str, old: Values, new: Values) -> None:
    names = {"volumeSize": "Size", "volumeType": "VolumeType", "iops": "Iops", "throughput": "Throughput"}
    sent = {name: new[key] for key, name in names.items() if not is_empty(new.get(key)) and new[key] != old.get(key)}
    if sent:
        with doing(f"updating EBS volume ({old['volumeId']})"):
            api.call("modify_volume", VolumeId=old["volumeId"], **sent)
    if new.get("deleteOnTermination", True) != old.get("deleteOnTermination", True):
        raise Refused("", "a change of rootBlockDevice.deleteOnTermination is not part of this double")
    if (new.get("tags") or {}) != (old.get("tags") or {}):
        raise Refused("", f"tags of the root disk of {id} are not part of this double; volumeTags are")
