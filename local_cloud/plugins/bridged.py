"""What a refresh makes of a resource's inputs, in every plugin on Pulumi's bridge (recorded for hcloud)."""

from typing import Any

from local_cloud.plugins.resource import Resource
from local_cloud.plugins.values import Values, is_empty


def refreshed(resource: Resource, inputs: Values, outputs: Values) -> Values:
    """Return the inputs with the values that were read; after an import, all that say something."""
    if not inputs:
        return {key: outputs[key] for key in resource.inputs if not is_empty(outputs.get(key))}
    fresh = {
        key: project(value, outputs[key]) if key in outputs and not _same(resource, key, outputs[key], value) else value
        for key, value in inputs.items()
    }
    return {key: without_defaults(value) for key, value in fresh.items() if value != []}


def _same(resource: Resource, key: str, found: Any, value: Any) -> bool:
    """Values stored in another form, or whose order says nothing, stay as the program wrote them."""
    declared = resource.inputs.get(key)
    return declared is not None and not resource.diff("", {key: found}, {key: value}, {}).changes_of(key)


def project(shape: Any, value: Any) -> Any:
    """Return `value` with the keys of `shape` only, at any depth."""
    if isinstance(shape, dict) and isinstance(value, dict) and "__defaults" in shape:
        return {key: project(shape[key], value[key]) for key in shape if key in value}
    if isinstance(shape, list) and isinstance(value, list) and shape and isinstance(shape[0], dict):
        return [project(shape[min(index, len(shape) - 1)], item) for index, item in enumerate(value)]
    return value


def without_defaults(value: Any) -> Any:
    """Take off the marks of empty defaults inside lists, as a refresh of the real plugin does."""
    if isinstance(value, list):
        return [
            {k: v for k, v in item.items() if k != "__defaults"} if isinstance(item, dict) else item for item in value
        ]
    return value
