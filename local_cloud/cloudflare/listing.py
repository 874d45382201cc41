"""Pages of a list, with result_info."""

from ..call import Answer, Call
from ..store import Doc
from .errors import invalid, result

LARGEST_PAGE = 5000  # of records; the list of zones gives at most 50


def page(call: Call, docs: list[Doc], usual: int, largest: int = LARGEST_PAGE) -> Answer:
    number, size = _number(call, "page", 1), min(_number(call, "per_page", usual), largest)
    shown = docs[(number - 1) * size : number * size]
    info = {
        "page": number,
        "per_page": size,
        "count": len(shown),
        "total_count": len(docs),
        "total_pages": -(-len(docs) // size),
    }
    return result(shown, result_info=info)


def _number(call: Call, field: str, default: int) -> int:
    value = call.query.get(field, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise invalid(1004, f"Invalid value for {field}: must be a positive number.")
    return int(value)
