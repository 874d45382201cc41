"""One resource of a provider double, declared as a table of inputs; `check` and `diff` follow from the table."""

# ruff: noqa: ARG002 (the base names the arguments of what subclasses override)

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local_cloud.plugins import diffs
from local_cloud.plugins.values import Values


class ProviderError(Exception):
    """A refusal; its text reaches the user as the real plugin's would."""


class PartialCreate(ProviderError):  # noqa: N818
    """The resource exists, its creation failed afterwards: the engine keeps it and updates it on the next run."""

    def __init__(self, message: str, id: str, outputs: Values, reasons: list[str] | None = None) -> None:
        super().__init__(message)
        self.id, self.outputs, self.reasons = id, outputs, reasons or [message]


@dataclass(frozen=True, kw_only=True)
class Input:
    """What one input of a resource does.

    replaces: a change makes a new resource. filled: the provider fills it when absent, so absence is no change.
    default: the value that absence means. whole: a change is reported for the input, not for a path within it.
    unordered: a list whose order says nothing. nested: keys of inner objects that the provider fills.
    same: own comparison of (state, input).
    """

    required: bool = False
    replaces: bool = False
    filled: bool = False
    default: Any = None
    whole: bool = False
    unordered: bool = False
    nested: frozenset[str] = frozenset()
    same: Callable[[Any, Any], bool] | None = None


@dataclass(frozen=True)
class Created:
    """The id and all outputs (inputs included) of a resource; `id` is put into the outputs where absent."""

    id: str
    outputs: Values


@dataclass(frozen=True)
class Call:
    """The circumstances of one call: whose it is, what was before, and the way to the engine's log."""

    urn: str
    preview: bool
    log: Callable[[str, str], None]
    """log(severity, text), severity one of debug, info, warning, error; text appears at the resource."""
    cancelled: threading.Event
    old_inputs: Values = field(default_factory=dict)
    timeout: float = 0.0
    """Seconds, from `custom_timeouts`; 0 when not set."""


class Resource:
    """Base of every resource; the class attributes are its declaration."""

    type: ClassVar[str]
    inputs: ClassVar[Mapping[str, Input]]
    computed: ClassVar[tuple[str, ...]] = ()
    autoname: ClassVar[str | None] = None
    """The input that gets `<logical name>-<7 hex>` when the program leaves it out."""
    bridged: ClassVar[bool] = True
    """Made with Terraform's older SDK: `__defaults` in inputs, detailed diffs, `stables`; else its plugin framework."""
    touched: ClassVar[tuple[str, ...]] = ()
    """Computed outputs that every update changes; a diff of a resource that is not `bridged` names them."""

    def check(self, news: Values, olds: Values, name: str) -> tuple[Values, dict[str, str]]:
        """Complete the inputs; `name` is the proposed automatic name, "" to leave it out.

        Returns them with the refusals by property.
        """
        failures = {key: f"Missing required property '{key}'" for key in self.inputs if self._missing(key, news)}
        failures |= {key: f"Unknown property '{key}'" for key in news if key not in self.inputs and key[:2] != "__"}
        checked = dict(news)
        chosen = []
        if self.autoname and news.get(self.autoname) is None and name:
            automatic = self.autoname in olds.get("__defaults", []) or not self.bridged
            checked[self.autoname] = olds[self.autoname] if automatic and self.autoname in olds else name
            chosen.append(self.autoname)
        if self.bridged:
            checked = {"__defaults": chosen} | {key: mark_defaults(value) for key, value in checked.items()}
            for key in self.inputs.keys() & checked.keys():
                checked[key] = self.complete(key, checked[key])
        return checked, failures

    def _missing(self, key: str, news: Values) -> bool:
        return self.inputs[key].required and news.get(key) is None

    def complete(self, key: str, value: Any) -> Any:
        """Fill defaults inside one input; nothing by default."""
        return value

    def diff(self, id: str, olds: Values, news: Values, old_inputs: Values) -> diffs.Diff:
        """Compare the state with the new inputs by the table."""
        changes: dict[str, diffs.Change] = {}
        for key, declared in self.inputs.items():
            for path, kind in diffs.compare(key, declared, olds.get(key), news.get(key)).items():
                changes[path] = diffs.Change(kind, declared.replaces)
        return diffs.Diff(
            changes,
            touched=() if self.bridged else self.touched,
            fixed=self._fixed() if self.bridged else (),
            detailed=self.bridged,
            delete_first=self.bridged and self._name_stays(olds, news),
        )

    def _name_stays(self, olds: Values, news: Values) -> bool:
        """Tell whether a name chosen by the program, unique at the provider, would be needed twice at a time."""
        key = self.autoname
        return key is not None and key not in news.get("__defaults", []) and olds.get(key) == news.get(key)

    def _fixed(self) -> tuple[str, ...]:
        return tuple(key for key, declared in self.inputs.items() if declared.replaces)

    def create(self, call: Call, inputs: Values) -> Created:
        """Make the resource."""
        raise NotImplementedError

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        """Foretell the outputs; computed ones are unknown before creation, kept (save `touched`) later."""
        return diffs.foretell(self, inputs, olds)

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:
        """Return the present (outputs, inputs); None when the resource is gone."""
        return olds, inputs

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        """Change the resource in place and return all outputs."""
        raise NotImplementedError

    def delete(self, call: Call, id: str, olds: Values) -> None:
        """Remove the resource; one that is gone already is no error."""


def mark_defaults(value: Any) -> Any:
    """Give every object inside a list the empty `__defaults` that Terraform's older SDK bridge puts there."""
    if isinstance(value, list):
        return [{"__defaults": [], **item} if isinstance(item, dict) else item for item in value]
    return value


def automatic_name(logical: str, seed: bytes) -> str:
    """Return `<logical>-<7 hex>`, the same for the same seed; the digits differ from those of the real plugin."""
    return f"{logical}-{hashlib.sha256(seed + logical.encode()).hexdigest()[:7]}"
