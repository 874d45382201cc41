"""What a request for a new server must satisfy: type, image, location, keys, user-data."""

from ..call import Call
from ..store import Doc
from . import catalogue
from .errors import ApiError, invalid, not_found
from .validation import text

USER_DATA_BYTES = 32 * 1024


def kind(body: Doc) -> Doc:
    found = catalogue.find(catalogue.SERVER_TYPES, body.get("server_type"))
    if found is None:
        raise invalid("server_type", f"server type '{body.get('server_type')}' not found")
    return found


def image(body: Doc) -> Doc:
    """By id, or by name for the architecture of the server type."""
    wanted, architecture = body.get("image"), kind(body)["architecture"]
    named = [i for i in catalogue.IMAGES if i["name"] == wanted and i["architecture"] == architecture]
    found = named[0] if named else catalogue.find(catalogue.IMAGES, wanted)
    if found is None:
        raise invalid("image", f"image '{wanted}' not found")
    return found


def location(body: Doc) -> str:
    if "datacenter" in body:
        raise invalid("datacenter", "was removed: use location")
    found = catalogue.find(catalogue.LOCATIONS, body.get("location", "fsn1"))
    if found is None:
        raise invalid("location", f"location '{body.get('location')}' not found")
    return str(found["name"])


def sold_in(wanted: Doc, place_name: str) -> None:
    if place_name not in [place["name"] for place in wanted["locations"]]:
        raise ApiError(422, "invalid_input", f"unsupported location {place_name} for server type {wanted['name']}")


def ssh_key(call: Call, key: object) -> int:
    found = call.store.get("ssh_key", call.project, key) if isinstance(key, int) else None
    found = found or call.store.named("ssh_key", call.project, str(key))
    if found is None:
        raise not_found("ssh_key", key)
    return int(found["id"])


def user_data(body: Doc) -> str:
    value = body.get("user_data")
    if not value:
        return ""
    if len(text(value, "user_data").encode()) > USER_DATA_BYTES:
        raise invalid("user_data", f"is too long (at most {USER_DATA_BYTES} bytes)")
    return str(value)
