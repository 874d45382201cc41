"""Double of pulumi-random 4.21.1: RandomPassword, RandomString and RandomId.

Every argument replaces; the drawn values stay in the state and are never drawn again. Different on purpose: refusals
of impossible arguments are worded by this double.
"""

# ruff: noqa: ARG002 (the signatures are those of the base)

from typing import ClassVar

from local_cloud.plugins import random_draws as draws
from local_cloud.plugins.diffs import Diff
from local_cloud.plugins.framework import FrameworkResource, meta
from local_cloud.plugins.provider import Provider, serve
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values

CLASSES = ("lower", "upper", "numeric", "special")
MINIMA = ("minLower", "minUpper", "minNumeric", "minSpecial")


class RandomString(FrameworkResource):
    """A string that is no secret; its id is the string."""

    type = "random:index/randomString:RandomString"
    inputs: ClassVar = {
        "length": Input(required=True, replaces=True),
        "keepers": Input(replaces=True),
        "overrideSpecial": Input(replaces=True),
        "number": Input(replaces=True, default=True),
        **{name: Input(replaces=True, default=True) for name in CLASSES},
        **{name: Input(replaces=True, default=0) for name in MINIMA},
    }
    computed: ClassVar[tuple[str, ...]] = ("result",)
    schema_version = 2

    def invalid(self, inputs: Values) -> dict[str, str]:
        plan = self.planned(inputs)
        needed = sum(plan[name] for name in MINIMA)
        if "length" in inputs and inputs["length"] < max(1, needed):
            return {"length": f"must be at least {max(1, needed)}: 1 character, and no less than the min* together"}
        if not any(plan[name] for name in CLASSES):
            return {"lower": f"one of {', '.join(CLASSES)} must be true; otherwise there is nothing to draw from"}
        return {}

    def planned(self, inputs: Values) -> Values:
        return super().planned(both_names(inputs))

    def diff(self, id: str, olds: Values, news: Values, old_inputs: Values) -> Diff:
        return super().diff(id, olds, both_names(news), old_inputs)

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        return super().preview(both_names(inputs), olds)

    def create(self, call: Call, inputs: Values) -> Created:
        plan = self.planned(inputs)
        result = draws.text(plan)
        outputs = {**plan, **self.results(result), "__meta": meta(self.schema_version)}
        return Created(outputs["id"], self.sealed(outputs))

    def results(self, result: str) -> Values:
        """The outputs that follow from the drawn string."""
        return {"id": result, "result": result}

    def delete(self, call: Call, id: str, olds: Values) -> None:
        """Nothing exists outside the state."""


class RandomPassword(RandomString):
    """A secret string, with its bcrypt hash; the id says nothing."""

    type = "random:index/randomPassword:RandomPassword"
    computed = ("result", "bcryptHash")
    sensitive = ("result", "bcryptHash")
    schema_version = 3

    def results(self, result: str) -> Values:
        return {"id": "none", "result": result, "bcryptHash": draws.bcrypt(result)}


class RandomId(FrameworkResource):
    """Random bytes in several spellings."""

    type = "random:index/randomId:RandomId"
    inputs: ClassVar = {
        "byteLength": Input(required=True, replaces=True),
        "keepers": Input(replaces=True),
        "prefix": Input(replaces=True),
    }
    computed = ("b64Std", "b64Url", "dec", "hex")

    def invalid(self, inputs: Values) -> dict[str, str]:
        if inputs.get("byteLength", 1) < 1:
            return {"byteLength": "must be at least 1"}
        return {}

    def create(self, call: Call, inputs: Values) -> Created:
        spellings = draws.identifier(inputs["byteLength"], inputs.get("prefix") or "")
        return Created(spellings["id"], {**self.planned(inputs), **spellings})

    def delete(self, call: Call, id: str, olds: Values) -> None:
        """Nothing exists outside the state."""


def both_names(inputs: Values) -> Values:
    """`number` is the old name of `numeric`: whichever is given counts for both."""
    given = inputs.get("numeric", inputs.get("number"))
    return inputs if given is None else {**inputs, "numeric": given, "number": given}


class RandomProvider(Provider):
    def __init__(self) -> None:
        super().__init__("random", "4.21.1", [RandomPassword(), RandomString(), RandomId()])


if __name__ == "__main__":
    serve(RandomProvider())
