"""What moto's EC2 leaves out and a cluster meets: placement groups, waiting, what depends on what, several limits.

Each method takes the place of moto's own of that name, which serves one action. Where no reason is given, the rule and
the words are from AWS's documentation; an error that is our best knowledge says so.
"""

import base64
import secrets
import time
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response

from .images import SIZE, images
from .instances import CODES

PER_ZONE = 7
"""Running instances of a spread group in one zone."""
USER_DATA = 16384
GONE = ("shutting-down", "terminated")


def set_state(instance: Instance, name: str) -> None:
    instance._state.name, instance._state.code = name, CODES[name]


def end(instance: Instance) -> None:
    """An end that nobody asked for. What the instance holds goes with it; moto would also say that its user did it."""
    code, message = instance.state_reason.code, instance.state_reason.message
    instance.terminate()
    instance.state_reason.code, instance.state_reason.message = code, message


class State:
    """What moto keeps no room for, for one account and region; it hangs on moto's own backend."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, Any] = {}  # by client token
        self.due: dict[str, tuple[float, str]] = {}  # by instance: when, and the state that it then gets
        self.reboots: dict[str, int] = {}  # by instance: how often it was asked to


class Responses(EC2Response):
    """One call. `action_seconds` is how long an instance takes to begin, to stop and to end; hosts take their own."""

    action_seconds = 0.0
    by_hosts = False
    fails: dict[str, str] | None = None
    """A fault: what this call launches ends at once, with this code and message as reason."""
    turned = False
    """Whether an instance has meanwhile got into another state."""

    @property
    def backend(self) -> Any:
        """Moto's state of this account and region, with Debian's images and what moto has no room for."""
        backend = self.ec2_backend
        if not hasattr(backend, "fleet"):
            backend.fleet = State()
            for image in images():
                backend.amis[image["ami_id"]] = Ami(backend, **image)
        return backend

    @property
    def state(self) -> State:
        found: State = self.backend.fleet
        return found

    def call_action(self) -> Any:
        """Serve the call, after everything whose time has come."""
        now = time.monotonic()
        for id, (due, name) in list(self.state.due.items()):
            if due <= now:
                del self.state.due[id]
                instance = self.backend.get_instance(id)
                if name == "terminated" and instance.state not in GONE:
                    end(instance)
                set_state(instance, name)
                self.turned = True
        return super().call_action()

    def _turn(self, instance: Instance, through: str, to: str) -> None:
        """Let an instance be in the first state for a while, then in the second; or until its host is."""
        set_state(instance, through)
        self.state.due.pop(instance.id, None)
        if not self.by_hosts or self.fails:
            self.state.due[instance.id] = (time.monotonic() + self.action_seconds, to)

    # Placement groups: moto has none.

    def create_placement_group(self) -> ActionResult:
        name, strategy = self._get_param("GroupName"), self._get_param("Strategy")
        if name in self.state.groups:
            raise EC2ClientError("InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists.")
        group = {
            "GroupName": name,
            "State": "available",
            "Strategy": strategy,
            "PartitionCount": self._get_param("PartitionCount"),
            "GroupId": f"pg-{secrets.token_hex(9)[:17]}",
            "SpreadLevel": self._get_param("SpreadLevel") or ("rack" if strategy == "spread" else None),
        }
        group["GroupArn"] = f"arn:aws:ec2:{self.region}:{self.current_account}:placement-group/{name}"
        self.state.groups[name] = group
        tags = self._parse_tag_specification().get("placement-group", {})
        self.backend.tags.setdefault(group["GroupId"], {}).update(tags)
        return ActionResult({"PlacementGroup": self._shown(group)})

    def describe_placement_groups(self) -> ActionResult:
        groups, names = self.state.groups, self._get_param("GroupNames", [])
        ids = self._get_param("GroupIds", [])
        for name in names:
            if name not in groups:
                raise EC2ClientError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
        found = [
            g for g in groups.values() if (not names or g["GroupName"] in names) and (not ids or g["GroupId"] in ids)
        ]
        return ActionResult({"PlacementGroups": [self._shown(group) for group in found]})

    def delete_placement_group(self) -> ActionResult:
        name = self._get_param("GroupName")
        if name not in self.state.groups:
            raise EC2ClientError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
        if any(self._members(name)):
            text = f"The placement group '{name}' is in use and may not be deleted."
            raise EC2ClientError("InvalidPlacementGroup.InUse", text)
        del self.state.groups[name]
        return EmptyResult()

    def _shown(self, group: dict[str, Any]) -> dict[str, Any]:
        tags = self.backend.tags.get(group["GroupId"], {})
        return {**group, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _members(self, group: str, zone: str | None = None) -> list[Instance]:
        return [
            instance
            for instance in self.backend.all_instances()
            if instance.placement.group_name == group
            and instance.state not in ("terminated", *(("stopped",) if zone else ()))
            and zone in (None, instance.placement.zone)
        ]

    def create_tags(self) -> ActionResult:
        self._tag_groups(lambda kept: kept.update({tag["Key"]: tag["Value"] for tag in self._get_param("Tags", [])}))
        return super().create_tags() if self._get_param("Resources") else EmptyResult()

    def delete_tags(self) -> ActionResult:
        self._tag_groups(lambda kept: [kept.pop(tag["Key"], None) for tag in self._get_param("Tags", [])])
        return super().delete_tags() if self._get_param("Resources") else EmptyResult()

    def _tag_groups(self, change: Callable[[dict[str, str]], object]) -> None:
        """Moto takes the ids of placement groups for none."""
        groups = {group["GroupId"] for group in self.state.groups.values()}
        for id in groups.intersection(self._get_param("Resources", [])):
            change(self.backend.tags.setdefault(id, {}))
            self.params["Resources"].remove(id)

    # Instances: what moto loses of the request, and that beginning, stopping and ending take time.

    def run_instances(self) -> ActionResult:
        token = self._get_param("ClientToken")
        if token in self.state.runs:
            return ActionResult(self.state.runs[token])
        self._lift_interface()
        image = self.backend.describe_images(ami_ids=[self._get_param("ImageId")])[0]
        self._check_run()
        for mapping in self.params.setdefault(
            "BlockDeviceMappings", [{"DeviceName": image.root_device_name, "Ebs": {}}]
        ):
            mapping["Ebs"].setdefault("VolumeSize", SIZE)
            mapping["Ebs"].setdefault("VolumeType", "gp3")
            mapping["Ebs"].setdefault("DeleteOnTermination", True)
        result = super().run_instances()
        reservation: Any = result._result
        self.state.runs[token] = reservation
        for instance in reservation.instances:
            self._complete(instance)
            self._turn(instance, "pending", "terminated" if self.fails else "running")
            if self.fails:
                instance.state_reason.code = self.fails["code"]
                instance.state_reason.message = f"{self.fails['code']}: {self.fails['message']}"
        return result

    def _lift_interface(self) -> None:
        """Ask for the one interface as for the instance's own: of an interface moto reads half of what it is told."""
        for interface in self.params.pop("NetworkInterfaces", []):
            self.params |= {key: value for key, value in interface.items() if key not in ("DeviceIndex", "Groups")}
            self.params["SecurityGroupIds"] = interface.get("Groups", [])

    def _check_run(self) -> None:
        """Refuse what the real one refuses before it launches anything."""
        data = self._get_param("UserData")
        if data and len(base64.b64decode(data)) > USER_DATA:
            raise EC2ClientError("InvalidParameterValue", f"User data is limited to {USER_DATA} bytes")
        if key := self._get_param("KeyName"):
            self.backend.describe_key_pairs(key_names=[key])
        group = self._get_param("Placement.GroupName")
        if group and group not in self.state.groups:
            raise EC2ClientError("InvalidPlacementGroup.Unknown", f"The Placement Group '{group}' is unknown.")
        zone = self.backend.get_subnet(self._get_param("SubnetId")).availability_zone
        if group and self.state.groups[group]["Strategy"] == "spread" and len(self._members(group, zone)) >= PER_ZONE:
            # The number is documented; code and words of the refusal are our best knowledge.
            text = f"You may only launch {PER_ZONE} instances in a spread placement group per availability zone."
            raise EC2ClientError("InstanceLimitExceeded", text)

    def _complete(self, instance: Instance) -> None:
        instance.placement.group_name = self._get_param("Placement.GroupName") or ""
        instance.disable_api_termination = self._get_param("DisableApiTermination") or False
        for nic in instance.nics.values():
            nic.delete_on_termination = True  # of the interface that comes with an instance
        for mapping in self.params["BlockDeviceMappings"]:
            device = instance.block_device_mapping[mapping["DeviceName"]]
            volume = self.backend.get_volume(device.volume_id)
            faster = volume.volume_type == "gp3"
            volume.iops = mapping["Ebs"].get("Iops") or (3000 if faster else None)
            volume.throughput = mapping["Ebs"].get("Throughput") or (125 if faster else None)

    def terminate_instances(self) -> ActionResult:
        asked = [self.backend.get_instance(id) for id in self._get_param("InstanceIds")]
        if all(instance.state in GONE for instance in asked):  # a second time is no error
            states = [{"InstanceId": i.id, "CurrentState": i._state, "PreviousState": i._state} for i in asked]
            return ActionResult({"TerminatingInstances": states})
        result = super().terminate_instances()
        for instance in asked:
            for address in self.backend.addresses:
                if address.instance is instance:
                    address.instance = address.eni = address.association_id = None
            self._turn(instance, "shutting-down", "terminated")
        return result

    def stop_instances(self) -> ActionResult:
        result = super().stop_instances()
        for id in self._get_param("InstanceIds"):
            self._turn(self.backend.get_instance(id), "stopping", "stopped")
        return result

    def start_instances(self) -> ActionResult:
        result = super().start_instances()
        for id in self._get_param("InstanceIds"):
            self._turn(self.backend.get_instance(id), "pending", "running")
        return result

    def reboot_instances(self) -> ActionResult:
        for id in self._get_param("InstanceIds"):
            if self.backend.get_instance(id).state == "running":
                self.state.reboots[id] = self.state.reboots.get(id, 0) + 1
        return EmptyResult()

    def modify_instance_attribute(self) -> ActionResult:
        instance = self.backend.get_instance(self._get_param("InstanceId"))
        for attribute in ("InstanceType", "UserData"):
            if self._get_param(f"{attribute}.Value") is not None and instance.state != "stopped":
                text = f"The instance '{instance.id}' is not in the 'stopped' state."
                raise EC2ClientError("IncorrectInstanceState", text)
        if self._get_param("UserData.Value") is not None:  # which moto has decoded, and decodes again
            self.params["UserData"]["Value"] = base64.b64encode(self.params["UserData"]["Value"]).decode()
        return super().modify_instance_attribute()

    def modify_network_interface_attribute(self) -> ActionResult:
        result = super().modify_network_interface_attribute()
        interface = self.backend.get_network_interface(self._get_param("NetworkInterfaceId"))
        if interface.instance and self._get_param("Groups"):
            interface.instance.security_groups = list(interface._group_set)
        return result

    def monitor_instances(self) -> ActionResult:  # type: ignore[override]
        return self._monitored("enabled")

    def unmonitor_instances(self) -> ActionResult:  # type: ignore[override]
        return self._monitored("disabled")

    def _monitored(self, state: str) -> ActionResult:
        ids = self._get_param("InstanceIds")
        for id in ids:
            self.backend.get_instance(id).monitoring_state = state
        return ActionResult({"InstanceMonitorings": [{"InstanceId": id, "Monitoring": {"State": state}} for id in ids]})

    def associate_address(self) -> ActionResult:
        id = self._get_param("InstanceId")
        if id and self.backend.get_instance(id).state in ("pending", *GONE):
            text = f"The instance '{id}' is not in a valid state for this operation."
            raise EC2ClientError("IncorrectInstanceState", text)
        return super().associate_address()

    # Security group rules: moto loses the description of one that names a group, and changes only those of IPv4.

    def authorize_security_group_ingress(self) -> ActionResult:
        return self._described(super().authorize_security_group_ingress())

    def authorize_security_group_egress(self) -> ActionResult:
        return self._described(super().authorize_security_group_egress())

    def _described(self, result: ActionResult) -> ActionResult:
        answer: Any = result._result
        for permission in self._get_param("IpPermissions", []):
            for pair in permission.get("UserIdGroupPairs", []):
                for rule in answer["SecurityGroupRules"]:
                    rule.ip_range["Description"] = pair.get("Description")
        return result

    def modify_security_group_rules(self) -> ActionResult:
        result = super().modify_security_group_rules()
        group = self.backend.get_security_group_from_id(self._get_param("GroupId"))
        for change in self._get_param("SecurityGroupRules", []):
            rule, wanted = group.get_rule(change["SecurityGroupRuleId"]), change["SecurityGroupRule"]
            if wanted.get("CidrIpv6"):
                rule.ip_range["CidrIpv6"] = wanted["CidrIpv6"]
            if wanted.get("ReferencedGroupId"):
                rule.source_group = {**rule.source_group, "GroupId": wanted["ReferencedGroupId"]}
        return result

    # What something else needs cannot go.

    def delete_security_group(self) -> ActionResult:
        id = self._get_param("GroupId")
        interfaces = [nic for nic in self._interfaces() if id in {group.id for group in nic.group_set}]
        others = [group for group in self.backend.describe_security_groups() if group.id != id]
        rules = [rule for group in others for rule in (*group.ingress_rules, *group.egress_rules)]
        if interfaces or any(rule.source_group.get("GroupId") == id for rule in rules):
            raise EC2ClientError("DependencyViolation", f"resource {id} has a dependent object")
        return super().delete_security_group()

    def delete_subnet(self) -> ActionResult:
        id = self._get_param("SubnetId")
        if any(nic.subnet.id == id for nic in self._interfaces()):
            text = f"The subnet '{id}' has dependencies and cannot be deleted."
            raise EC2ClientError("DependencyViolation", text)
        for table in self.backend.describe_route_tables():
            for association, subnet in list(table._associations.items()):
                if subnet == id:
                    table._associations.pop(association)
        return super().delete_subnet()

    def detach_internet_gateway(self) -> ActionResult:
        vpc = self._get_param("VpcId")
        if any(nic.public_ip and nic.subnet.vpc_id == vpc for nic in self._interfaces()):
            text = (
                f"Network {vpc} has some mapped public address(es). "
                "Please unmap those public address(es) before detaching the gateway."
            )
            raise EC2ClientError("DependencyViolation", text)
        return super().detach_internet_gateway()

    def delete_vpc(self) -> ActionResult:
        id = self._get_param("VpcId")
        gateways = [
            gateway for gateway in self.backend.internet_gateways.values() if gateway.vpc and gateway.vpc.id == id
        ]
        if gateways or len(self.backend.groups[id]) > 1:
            raise EC2ClientError("DependencyViolation", f"The vpc '{id}' has dependencies and cannot be deleted.")
        return super().delete_vpc()

    def _interfaces(self) -> list[Any]:
        """Those that exist: an instance that is ending holds its own until it has ended."""
        ending = [i for i in self.backend.all_instances() if i.state == "shutting-down"]
        held = [nic for instance in ending for nic in instance.nics.values()]
        return [*self.backend.enis.values(), *held]
