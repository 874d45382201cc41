"""What the doubles of the providers on Terraform's plugin framework (cloudflare, random, tls) have in common.

Recorded: Check changes nothing but marks sensitive arguments as secret, defaults show in the outputs only, an output
without a value is left out, and sensitive outputs are marked although the plugin accepts no secrets.

Different on purpose: `__pulumi_raw_state_delta`, the bridge's private note on how to rebuild a Terraform state, is
neither made nor used. The real plugin does without it.
"""

# ruff: noqa: ARG002 (the signatures are those of the base)

from collections.abc import Mapping
from typing import Any, ClassVar

from local_cloud.plugins.resource import Call, Input, Resource
from local_cloud.plugins.values import UNKNOWN, Values, secret


class FrameworkResource(Resource):
    """Base of the resources of these providers."""

    bridged = False
    sensitive: ClassVar[tuple[str, ...]] = ()
    """Arguments and outputs that are secret."""

    def invalid(self, inputs: Values) -> dict[str, str]:
        """The refusals of values by property; unknown values are never refused."""
        return {}

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        checked, failures = super().check(news, olds, name)
        known = {key: value for key, value in news.items() if value != UNKNOWN}
        return self.sealed(checked), failures or self.invalid(known)

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        """As the base has it, without empty outputs; a sensitive one still unknown carries no mark (recorded)."""
        foretold = without_none(super().preview(inputs, olds))
        return {key: value if value == UNKNOWN else self.sealed({key: value})[key] for key, value in foretold.items()}

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:
        """Nothing to ask anybody: the state is all there is."""
        return self.sealed(olds), self.sealed(inputs)

    def sealed(self, values: Values) -> Values:
        """The same values, with the mark of a secret on the sensitive ones."""
        return {key: secret(value) if key in self.sensitive else value for key, value in values.items()}

    def planned(self, inputs: Values) -> Values:
        """The arguments with defaults filled in; what stays without a value is left out."""
        return planned(self.inputs, inputs)


def planned(table: Mapping[str, Input], inputs: Values) -> Values:
    """The arguments of a table with their defaults filled in; what stays without a value is left out."""
    return without_none({key: inputs.get(key, declared.default) for key, declared in table.items()})


def without_none(values: Mapping[str, Any]) -> Values:
    return {key: value for key, value in values.items() if value is not None}


def meta(schema_version: int) -> str:
    """The note of the state's schema version, which the real plugin needs to go on from a state of a double."""
    return f'{{"schema_version":"{schema_version}"}}'
