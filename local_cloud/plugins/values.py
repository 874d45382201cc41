"""Property values as the engine sends them: plain Python values, with two marks for unknown and for secret ones."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Struct, Value  # type: ignore[import-untyped]

Values = dict[str, Any]

# Fixed marks of the engine's protocol (sdk/go/common/resource: UnknownStringValue, SigKey, SecretSig).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a mark, not a secret)


def from_struct(struct: Struct) -> Values:
    """Read a message; whole numbers become int, as the providers' schemas have them."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "number_value":
            return int(value.number_value) if value.number_value.is_integer() else value.number_value
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
    return None


def to_struct(values: Mapping[str, Any]) -> Struct:
    """Write a message."""
    return ParseDict(dict(values), Struct())


def secret(value: Any) -> Values:
    """Mark a value as secret; only for providers with `accepts_secrets`."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Tell whether a value carries the mark of a secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def reveal(value: Any) -> Any:
    """Take off every mark of a secret, at any depth."""
    if is_secret(value):
        return reveal(value["value"])
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


def has_unknown(value: Any) -> bool:
    """Tell whether a value is, or holds, one that is only known after the program has run."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    return any(has_unknown(item) for item in value) if isinstance(value, list) else bool(value == UNKNOWN)


def without_marks(value: Any) -> Any:
    """Take off the engine's own keys (`__defaults`, `__meta`, ...), at any depth."""
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if not key.startswith("__")}
    return [without_marks(item) for item in value] if isinstance(value, list) else value


def is_empty(value: Any) -> bool:
    """Tell whether a provider reads a value as "not set": null, "", 0, false or an empty collection."""
    return value is None or value == "" or value == 0 or value == [] or value == {}
