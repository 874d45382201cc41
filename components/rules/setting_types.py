"""Types of settings: from the text that the engine hands over to a checked value.

The engine passes every setting as text: numbers and booleans as they are written, lists and maps as JSON. Values that
have their type already (in tests) pass through the same rules. A ValueError is one mistake: value, rule, way out.
"""

import json
import re
from collections.abc import Callable
from typing import Any, get_args

from pydantic import BeforeValidator, ValidationInfo
from pydantic.alias_generators import to_camel

from components.rules.secret_shapes import shown

_KINDS = {list: "a list", dict: "a map", bool: "a boolean", int: "a number", float: "a number", type(None): "nothing"}
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")


def text(value: object) -> str:
    """One text, without space around it."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is {_kind(value)}, not text; put it in quotes if it is meant so")
    value = value.strip()
    if not value:
        raise ValueError("is empty; write a value, or remove the line")
    found = decoded(value)
    if isinstance(found, (list, dict)):
        raise ValueError(f"{shown(value)} is {_kind(found)}; this setting takes one value, write it alone")
    return value


def one_of(choices: Any) -> BeforeValidator:
    """One of the words of the Literal `choices`."""

    def check(value: object) -> str:
        word = text(value)
        if word not in get_args(choices):
            raise ValueError(f"{shown(word)} is not one of {', '.join(get_args(choices))}; write one of these")
        return word

    return BeforeValidator(check)


def of_shape(value: object, pattern: str, what: str, example: str) -> str:
    """A text of the given shape; whether the cloud knows it, the cloud says at preview or creation."""
    word = text(value)
    if re.fullmatch(pattern, word):
        return word
    lower = word.lower()
    raise ValueError(
        f"{shown(word)} is not {what}; write one such as {lower if re.fullmatch(pattern, lower) else example}"
    )


def shaped(pattern: str, what: str, example: str) -> BeforeValidator:
    """A text of the same shape in every cloud."""
    return BeforeValidator(lambda value: of_shape(value, pattern, what, example))


def parsed(parse: Callable[[str], object], *, name_value: bool = False) -> BeforeValidator:
    """A text that `parse` turns into a value; its ValueError is the message, after the value if `name_value`."""

    def check(value: object) -> object:
        word = text(value)
        try:
            return parse(word)
        except ValueError as error:
            raise ValueError(f"{shown(word)} {error}" if name_value else str(error)) from None

    return BeforeValidator(check)


def whole_number(low: int, high: int, reason: str) -> BeforeValidator:
    """A number of low..high, written in plain digits."""

    def check(value: object) -> int:
        number = value if isinstance(value, int) and not isinstance(value, bool) else text(value)
        digits = str(number)
        if not _WHOLE.fullmatch(digits):
            raise ValueError(f"{shown(digits)} is not a whole number; write digits alone, {low} to {high}")
        if len(digits) > 18 or not low <= int(digits) <= high:
            raise ValueError(f"{shown(digits)} is not in {low}..{high}; {reason}")
        return int(digits)

    return BeforeValidator(check)


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """The list, if nothing is in it twice."""
    repeated = [item for i, item in enumerate(values) if item in values[:i]]
    if repeated:
        raise ValueError(f"has {', '.join(dict.fromkeys(map(shown, repeated)))} twice; remove the second")
    return values


def filled(values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """The list, if anything is in it."""
    if not values:
        raise ValueError(f"is an empty list; write one entry at least, or for the default no {key_of(info)} at all")
    return values


def key_of(info: ValidationInfo) -> str:
    """The key in the stack file of the field that is being checked."""
    return to_camel(info.field_name or "")


def _claim(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = text(value)
    if word not in ("true", "false"):
        raise ValueError(f"{shown(word)} is neither true nor false; write one of these, in lower case")
    return word == "true"


def _list(value: object, info: ValidationInfo) -> object:
    found = decoded(value)
    if isinstance(found, (list, tuple)):
        return tuple(found)
    key = key_of(info)
    raise ValueError(
        f"{shown(value)} is not a list; write `{key}: [first, second]` in the stack file, "
        f"or `pulumi config set --path '{key}[0]' VALUE`"
    )


def _map(value: object, info: ValidationInfo) -> object:
    found = decoded(value)
    if isinstance(found, dict):
        return found
    key = key_of(info)
    raise ValueError(
        f'{shown(value)} is not a map; write lines `name: "value"` below `{key}:` in the stack file, '
        f"or `pulumi config set --path '{key}.NAME' VALUE`"
    )


CLAIM = BeforeValidator(_claim)
LIST = BeforeValidator(_list)
MAP = BeforeValidator(_map)


def decoded(value: object) -> object:
    """What the JSON text `value` stands for; a value that is none stands for itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "of another type")
