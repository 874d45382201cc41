"""What the resources of the hcloud double have in common."""

from collections.abc import Callable
from typing import Any, ClassVar

from local_cloud.plugins.hcloud.api import Api, Refused
from local_cloud.plugins.resource import Call, Resource
from local_cloud.plugins.values import Values, is_empty


class HcloudResource(Resource):
    """A resource that is read by `GET /<kind>/<id>`; the provider is configured before the first call."""

    autoname: ClassVar[str | None] = "name"
    kind: ClassVar[str]
    """The plural of the API's paths, e.g. placement_groups."""

    def __init__(self, api: Callable[[], Api]) -> None:
        self._api = api

    @property
    def api(self) -> Api:
        """The configured API."""
        return self._api()

    def outputs(self, found: Values, inputs: Values) -> Values:
        """Translate the API's JSON; `inputs` are the program's or, on refresh, the state."""
        raise NotImplementedError

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        found = self.api.find(self.kind, id)
        if found is None:
            return None
        outputs = {"id": id} | self.outputs(found, olds)
        return outputs, self.refreshed(inputs, outputs)

    def refreshed(self, inputs: Values, outputs: Values) -> Values:
        """Return the inputs with the values that were read; after an import, all that say something."""
        if not inputs:
            return {key: outputs[key] for key in self.inputs if not is_empty(outputs.get(key))}
        fresh = {
            key: project(value, outputs[key]) if key in outputs and not self._same(key, outputs[key], value) else value
            for key, value in inputs.items()
        }
        return {key: without_defaults(value) for key, value in fresh.items() if value != []}

    def _same(self, key: str, found: Any, value: Any) -> bool:
        """Values stored in another form, or whose order says nothing, stay as the program wrote them."""
        declared = self.inputs.get(key)
        return declared is not None and not self.diff("", {key: found}, {key: value}, {}).changes_of(key)

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        if_there(lambda: self.api.call("DELETE", f"/{self.kind}/{id}"))

    def put_changes(self, id: str, olds: Values, news: Values, **fields: str) -> None:
        """`PUT` each changed field by a call of its own; fields: the API's name by the property's."""
        for key, name in fields.items():
            old, new = olds.get(key), news.get(key)
            if old != new and not (is_empty(old) and is_empty(new)):
                self.api.call(
                    "PUT", f"/{self.kind}/{id}", {name: new if new is not None else {} if key == "labels" else False}
                )


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


def if_there(call: Callable[[], Any]) -> Any:
    """Make a call on a thing that may be gone; None when it is."""
    try:
        return call()
    except Refused as refusal:
        if refusal.code != "not_found":
            raise
    return None


def sent(**fields: Any) -> dict[str, Any]:
    """Return a request body without the fields that are not set."""
    return {key: value for key, value in fields.items() if not is_empty(value) or value is False}
