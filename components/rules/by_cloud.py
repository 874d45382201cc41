"""What the stack's cloud says to a value: its shape, its default, whether the setting means anything there.

The settings' first field names the cloud. Where that is a mistake itself, the others are not judged by any.
"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from pydantic import BeforeValidator, Field, ValidationInfo

from components.clouds import known
from components.clouds.terms import Kind, Terms
from components.rules import labels
from components.rules.setting_types import decoded, key_of, of_shape, text


def shaped(kind: Kind) -> BeforeValidator:
    """A text whose shape the stack's cloud knows; whether it exists there, the cloud says at preview or creation."""

    def check(value: object, info: ValidationInfo) -> str:
        terms = _terms(info)
        if terms is None:
            return text(value)
        shape = terms.shapes[kind]
        return of_shape(value, shape.pattern, shape.what, shape.example)

    return BeforeValidator(check)


def default() -> Any:
    """A setting whose default is in the cloud's terms; None stands for what is left out."""
    return Field(default=None, validate_default=True)


def default_or_checked(value: object, check: Callable[[object], object], info: ValidationInfo) -> object:
    """The value by its own rules, or the cloud's default; ValueError where only another cloud knows the setting."""
    terms, key = _terms(info), key_of(info)
    if value is None:
        if terms is None:
            return ""
        if key in terms.required:
            raise ValueError(f"is missing; {terms.required[key]}")
        return terms.defaults[key]
    if terms is not None and key in terms.foreign and value != "":
        raise ValueError(terms.foreign[key])
    return check(value)


def label_key(value: object, info: ValidationInfo) -> str:
    """A label's key that the cloud leaves to its users."""
    key, terms = labels.key(value), _terms(info)
    if terms is not None:
        terms.check_label(key)
    return key


def free_network(network: IPv4Network, info: ValidationInfo) -> IPv4Network:
    """A private network that collides with nothing of the cloud's own."""
    if (terms := _terms(info)) is not None:
        terms.check_network(network)
    return network


def few_enough(ranges: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """As many ranges as one firewall of the cloud takes."""
    terms = _terms(info)
    if terms is not None and len(ranges) > terms.max_admin_ranges:
        most = terms.max_admin_ranges
        raise ValueError(f"has {len(ranges)} ranges; a firewall of {terms.title} takes {most}, join neighbours")
    return ranges


def mistakes_of_provider(raw: Mapping[str, str], config: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Key and text of what is wrong between the provider's configuration and the settings that can be read."""
    terms = _known(raw.get("cloud", known.DEFAULT))
    locations = decoded(raw.get("locations", ""))
    if terms is not None:
        yield from terms.mistakes(config, tuple(map(str, locations)) if isinstance(locations, list) else ())


def _terms(info: ValidationInfo) -> Terms | None:
    return _known(info.data.get("cloud", ""))


def _known(cloud: str) -> Terms | None:
    return next((terms for name, terms in known.TERMS.items() if name == cloud.strip()), None)
