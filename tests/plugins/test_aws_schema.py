"""The aws double has the inputs and outputs of the published Python package, and says of each what it does with it.

Not a recording: of what the real plugin does, these names are all that can be compared.
"""

import pytest

from local_cloud.plugins.aws import ami
from local_cloud.plugins.aws.aws_provider import ABSENT, PASSED_OVER, RESOURCES, TAKEN
from local_cloud.plugins.aws.aws_resource import AwsResource
from local_cloud.plugins.aws.instance import DISK, METADATA
from tests.plugins import aws_schema

pytestmark = pytest.mark.skipif(not aws_schema.installed(), reason="pulumi-aws is not installed: pip install .[aws]")
by_type = pytest.mark.parametrize("resource", RESOURCES, ids=[resource.__name__ for resource in RESOURCES])


@by_type
def test_the_type_is_the_published_one(resource: type[AwsResource]) -> None:
    assert aws_schema.resource(resource.type).token == resource.type


@by_type
def test_every_input_is_taken_or_refused_by_name(resource: type[AwsResource]) -> None:
    assert resource.inputs.keys().isdisjoint(resource.absent)
    assert resource.inputs.keys() | set(resource.absent) == aws_schema.resource(resource.type).inputs.keys()


@by_type
def test_the_same_inputs_are_required(resource: type[AwsResource]) -> None:
    required = {key for key, declared in resource.inputs.items() if declared.required}
    assert required == aws_schema.resource(resource.type).required


@by_type
def test_every_output_is_told(resource: type[AwsResource]) -> None:
    told = {*resource.inputs, *resource.absent, *resource.computed}
    assert told == aws_schema.resource(resource.type).outputs.keys()


@by_type
def test_a_resource_without_its_own_tags_has_none(resource: type[AwsResource]) -> None:
    assert bool(resource.tagged) == ("tagsAll" in aws_schema.resource(resource.type).outputs)


def test_the_objects_inside_an_instance_have_the_published_fields() -> None:
    assert set(METADATA) == aws_schema.nested("ec2/outputs.py", "InstanceMetadataOptions").keys()
    assert {*DISK, "deleteOnTermination", "tags"} == aws_schema.nested(
        "ec2/outputs.py", "InstanceRootBlockDevice"
    ).keys()


def test_an_image_is_described_by_the_published_fields() -> None:
    outputs, sent = aws_schema.function("ec2/get_ami.py", "GetAmiResult")
    own = {"arn", "blockDeviceMappings", "id", "productCodes", "rootSnapshotId", "stateReason", "tags"}
    assert {*ami.FIELDS, *ami.ARGUMENTS, *own} == outputs.keys()
    assert set(ami.ARGUMENTS) == sent


def test_every_key_of_the_providers_configuration_is_taken_passed_over_or_refused_by_name() -> None:
    assert sorted({*TAKEN, *PASSED_OVER, *ABSENT}) == sorted(aws_schema.provider())
    assert len({*TAKEN, *PASSED_OVER, *ABSENT}) == len(TAKEN) + len(PASSED_OVER) + len(ABSENT)
