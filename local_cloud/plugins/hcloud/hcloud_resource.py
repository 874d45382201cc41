"""What the resources of the hcloud double have in common."""

from collections.abc import Callable
from typing import Any, ClassVar

from local_cloud.plugins.bridged import refreshed
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
        return refreshed(self, inputs, outputs)

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
