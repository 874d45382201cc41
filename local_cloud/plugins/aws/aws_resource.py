"""What the resources of the aws double have in common: tags, region, reading, what is not part of it."""

from collections.abc import Callable
from typing import Any, ClassVar

from local_cloud.plugins import diffs
from local_cloud.plugins.aws.api import Api, Refused, again, doing
from local_cloud.plugins.bridged import refreshed
from local_cloud.plugins.resource import Call, Input, PartialCreate, Resource
from local_cloud.plugins.values import UNKNOWN, Values, has_unknown, is_empty, without_marks

REGION = {"region": Input(filled=True, replaces=True)}
TAGS = {"tags": Input()}


class AwsResource(Resource):
    """A resource of EC2; the provider is configured before the first call."""

    label: ClassVar[str]
    """How error texts call it."""
    absent: ClassVar[tuple[str, ...]] = ()
    """Inputs that the real one has and the double refuses."""
    tagged: ClassVar[str] = ""
    """The kind of thing in EC2's words, e.g. `vpc`, where it takes tags as it is made."""

    def __init__(self, api: Callable[[], Api], default_tags: Callable[[], Values]) -> None:
        self._api, self._default_tags = api, default_tags

    @property
    def api(self) -> Api:
        """The configured API."""
        return self._api()

    def found(self, id: str) -> Values | None:
        """Return EC2's own description of the thing, None when it is gone."""
        raise NotImplementedError

    def outputs(self, found: Values, inputs: Values) -> Values:
        """Translate the description; `inputs` are the program's or, on refresh, the state."""
        raise NotImplementedError

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        absent = {key: f"'{key}' is not part of this double" for key in self.absent if not is_empty(news.get(key))}
        checked, failures = super().check({k: v for k, v in news.items() if k not in self.absent}, olds, name)
        if news.get("region") not in (None, UNKNOWN, self.api.region):
            absent["region"] = "another region than the provider's is not part of this double"
        return checked, failures | absent

    def diff(self, id: str, olds: Values, news: Values, old_inputs: Values) -> diffs.Diff:
        """As the base; other default tags show as a change of `tagsAll` (a guess)."""
        found = super().diff(id, olds, news, old_inputs)
        if "tagsAll" not in self.computed or found.changes_of("tags") or "tagsAll" not in olds:
            return found
        paths = diffs.compare("tagsAll", Input(), olds["tagsAll"], self.all_tags(news))
        changes = {**found.changes, **{path: diffs.Change(kind) for path, kind in paths.items()}}
        return diffs.Diff(changes, found.touched, found.fixed, found.detailed, found.delete_first)

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        outputs = super().preview(inputs, olds)
        if "tagsAll" in self.computed:
            outputs["tagsAll"] = UNKNOWN if has_unknown(inputs.get("tags")) else self.all_tags(inputs)
        if "region" in self.inputs and outputs.get("region") in (None, UNKNOWN):
            outputs["region"] = self.api.region
        return outputs if self.bridged else {key: value for key, value in outputs.items() if value is not None}

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        with doing(f"reading {self.label} ({id})"):
            found = self.found(id)
            if found is None:
                return None
            outputs = {"id": id} | self._stated(found, olds)
        return outputs, refreshed(self, inputs, outputs)

    def now(self, id: str, inputs: Values) -> Values:
        """Return the outputs of what must exist."""
        with doing(f"reading {self.label} ({id})"):
            found = self.found(id)
            if found is None:
                raise Refused("", "couldn't find resource")
            return self._stated(found, inputs)

    def _stated(self, found: Values, inputs: Values) -> Values:
        outputs = self.outputs(found, inputs)
        if "region" in self.inputs:
            outputs["region"] = self.api.region
        if "tagsAll" in self.computed:
            tags = plain_tags(found.get("Tags"))
            defaults, own = self._default_tags(), without_marks(inputs.get("tags") or {})
            outputs["tagsAll"] = tags
            outputs["tags"] = {k: v for k, v in tags.items() if k in own or defaults.get(k) != v}
        return outputs if self.bridged else {key: value for key, value in outputs.items() if value is not None}

    def all_tags(self, inputs: Values) -> Values:
        """The program's tags over the provider's default ones."""
        return {**self._default_tags(), **without_marks(inputs.get("tags") or {})}

    def tag_specifications(self, inputs: Values, **others: Values) -> list[Values] | None:
        """Tags for a request; `others` are those of more kinds, e.g. volume={...}."""
        kinds = {self.tagged: self.all_tags(inputs), **others}
        return [{"ResourceType": kind, "Tags": api_tags(tags)} for kind, tags in kinds.items() if tags] or None

    def retag(self, id: str, olds: Values, news: Values) -> None:
        """Bring the tags up to date, where they changed."""
        if olds.get("tagsAll") != self.all_tags(news):
            self.api.retag(id, olds.get("tagsAll") or {}, self.all_tags(news))

    def partial(self, id: str, inputs: Values, error: Refused) -> PartialCreate:
        """The thing exists, and its creation failed afterwards: the state has the inputs, and nothing that is read."""
        outputs = dict.fromkeys((*self.inputs, *self.computed)) | without_marks(inputs)
        outputs["tagsAll"] = self.all_tags(inputs)
        return PartialCreate(str(error), id, outputs, [error.text])

    def remove(
        self, call: Call, what: str, seconds: float, busy: tuple[str, ...], gone: tuple[str, ...], delete: Any
    ) -> None:
        """Delete, while other things need it try again, and take it for done where it is gone."""

        def attempt() -> None:
            try:
                delete()
            except Refused as refusal:
                if refusal.code not in gone:
                    raise

        with doing(what):
            again(call.cancelled, call.timeout or seconds, busy, attempt)


def plain_tags(tags: Any) -> Values:
    """EC2's list of tags as a map; those of AWS itself are left out."""
    return {tag["Key"]: tag["Value"] for tag in tags or [] if not tag["Key"].startswith("aws:")}


def api_tags(tags: Values) -> list[Values]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
