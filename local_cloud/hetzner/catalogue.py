"""What the cloud sells: locations, server types with prices, images. Data, read only.

Types, cores, memory and traffic are those of mid 2026. Prices are examples in EUR net, not an offer: cx and cpx figures
follow what was seen in May 2026, ccx and cax those before the increases of 2026; read the real API before you
tell anyone a number. Ids of images are our own. (Over 200 lines: most of them are the tables.)
"""

from typing import NamedTuple

from ..call import Answer, Call, Routes
from ..store import Doc
from . import listing
from .errors import ApiError, not_found

TERABYTE = 1024**4
CREATED = "2026-01-01T00:00:00+00:00"
EU, ALL = ("fsn1", "nbg1", "hel1"), ("fsn1", "nbg1", "hel1", "ash", "hil", "sin")
OVERSEAS = ("ash", "hil", "sin")

LOCATIONS: list[Doc] = [
    {
        "id": number,
        "name": name,
        "description": f"{city} DC Park {park}",
        "country": country,
        "city": city,
        "latitude": latitude,
        "longitude": longitude,
        "network_zone": zone,
    }
    for number, name, city, park, country, latitude, longitude, zone in [
        (1, "fsn1", "Falkenstein", 1, "DE", 50.47612, 12.370071, "eu-central"),
        (2, "nbg1", "Nuremberg", 1, "DE", 49.452102, 11.076665, "eu-central"),
        (3, "hel1", "Helsinki", 1, "FI", 60.169855, 24.938379, "eu-central"),
        (4, "ash", "Ashburn, VA", 1, "US", 39.045821, -77.487073, "us-east"),
        (5, "hil", "Hillsboro, OR", 1, "US", 45.54222, -122.951924, "us-west"),
        (6, "sin", "Singapore", 1, "SG", 1.283333, 103.833333, "ap-southeast"),
    ]
]
ZONES = {location["name"]: location["network_zone"] for location in LOCATIONS}


class Type(NamedTuple):
    id: int
    name: str
    cores: int
    memory: float  # GB
    disk: int  # GB
    monthly: float  # EUR net
    places: tuple[str, ...]


TYPES = [
    Type(104, "cx22", 2, 4, 40, 3.79, ()),
    Type(114, "cx23", 2, 4, 40, 3.99, EU),
    Type(115, "cx33", 4, 8, 80, 6.49, EU),
    Type(116, "cx43", 8, 16, 160, 11.99, EU),
    Type(117, "cx53", 16, 32, 320, 22.59, EU),
    Type(45, "cax11", 2, 4, 40, 3.79, EU),
    Type(93, "cax21", 4, 8, 80, 6.49, EU),
    Type(94, "cax31", 8, 16, 160, 12.49, EU),
    Type(95, "cax41", 16, 32, 320, 24.49, EU),
    Type(22, "cpx11", 2, 2, 40, 4.99, OVERSEAS),
    Type(23, "cpx21", 3, 4, 80, 9.49, OVERSEAS),
    Type(24, "cpx31", 4, 8, 160, 16.49, OVERSEAS),
    Type(25, "cpx41", 8, 16, 240, 30.49, OVERSEAS),
    Type(26, "cpx51", 16, 32, 360, 60.49, OVERSEAS),
    Type(109, "cpx12", 1, 2, 40, 10.99, EU),
    Type(110, "cpx22", 2, 4, 80, 12.49, EU),
    Type(111, "cpx32", 4, 8, 160, 19.99, EU),
    Type(112, "cpx42", 8, 16, 320, 34.99, EU),
    Type(113, "cpx52", 12, 24, 480, 49.99, EU),
    Type(118, "cpx62", 16, 32, 640, 64.99, EU),
    Type(96, "ccx13", 2, 8, 80, 12.49, ALL),
    Type(97, "ccx23", 4, 16, 160, 24.49, ALL),
    Type(98, "ccx33", 8, 32, 240, 48.49, ALL),
    Type(99, "ccx43", 16, 64, 360, 96.49, ALL),
    Type(100, "ccx53", 32, 128, 600, 192.49, ALL),
    Type(101, "ccx63", 48, 192, 960, 288.49, ALL),
]


def price(net: float, digits: int = 4) -> dict[str, str]:
    return {"net": f"{net:.{digits}f}", "gross": f"{net * 1.19:.{digits}f}"}


def _prices(kind: Type) -> list[Doc]:
    places = kind.places or ALL
    return [
        {
            "location": place,
            "price_hourly": price(kind.monthly / 624),
            "price_monthly": price(kind.monthly),
            "included_traffic": (20 if place in EU else 1) * TERABYTE,
            "price_per_tb_traffic": price(1.0 if place in EU else 7.4),
        }
        for place in places
    ]


def _server_type(kind: Type) -> Doc:
    """A type without places is one that is not sold any more and is kept for old programs."""
    gone = {"announced": "2025-10-16T06:00:00+00:00", "unavailable_after": "2026-12-31T23:59:00+00:00"}
    deprecation = None if kind.places else gone
    return {
        "id": kind.id,
        "name": kind.name,
        "description": kind.name.upper(),
        "cores": kind.cores,
        "memory": kind.memory,
        "disk": kind.disk,
        "deprecated": deprecation is not None,
        "deprecation": deprecation,
        "prices": _prices(kind),
        "storage_type": "local",
        "cpu_type": "dedicated" if kind.name.startswith("ccx") else "shared",
        "category": "General Purpose" if kind.name.startswith("ccx") else "Cost-Optimized",
        "architecture": "arm" if kind.name.startswith("cax") else "x86",
        "locations": [
            {
                "id": location["id"],
                "name": location["name"],
                "deprecation": deprecation,
                "recommended": bool(kind.places),
                "available": True,
            }
            for location in LOCATIONS
            if location["name"] in (kind.places or ALL)
        ],
    }


SERVER_TYPES = [_server_type(kind) for kind in TYPES]

IMAGES: list[Doc] = [
    {
        "id": number,
        "type": "system",
        "status": "available",
        "name": f"{flavor}-{version}",
        "description": f"{flavor.capitalize()} {version}",
        "image_size": None,
        "disk_size": 5,
        "created": CREATED,
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavor,
        "os_version": version,
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecated": None,
        "deleted": None,
        "labels": {},
        "architecture": architecture,
    }
    for number, flavor, version, architecture in [
        (501, "debian", "12", "x86"),
        (502, "debian", "12", "arm"),
        (503, "debian", "13", "x86"),
        (504, "debian", "13", "arm"),
        (505, "ubuntu", "22.04", "x86"),
        (506, "ubuntu", "22.04", "arm"),
        (507, "ubuntu", "24.04", "x86"),
        (508, "ubuntu", "24.04", "arm"),
    ]
]


def find(docs: list[Doc], key: object) -> Doc | None:
    """The entry of this name or id (a number, also as text)."""
    return next((doc for doc in docs if key in (doc["id"], doc["name"]) or str(doc["id"]) == key), None)


def _family(name: str, single: str, docs: list[Doc]) -> Routes:
    def one(call: Call) -> Answer:
        doc = next((doc for doc in docs if str(doc["id"]) == call.params["id"]), None)
        if doc is None:
            raise not_found(single, call.params["id"])
        return Answer(200, {single: doc})

    def several(call: Call) -> Answer:
        return listing.page(call, name, docs)

    return [("GET", f"/{name}", several), ("GET", f"/{name}/{{id}}", one)]


def pricing(_call: Call) -> Answer:
    """Prices of what this cloud offers; load balancers, floating addresses and volumes are not among it."""
    address = [{"location": place, "price_hourly": price(0.0008), "price_monthly": price(0.50)} for place in ALL]
    document = {
        "currency": "EUR",
        "vat_rate": "19.00",
        "image": {"price_per_gb_month": price(0.0119)},
        "volume": {"price_per_gb_month": price(0.0572)},
        "server_backup": {"percentage": "20.00"},
        "floating_ip": {"price_monthly": price(3.0)},
        "floating_ips": [],
        "load_balancer_types": [],
        "primary_ips": [{"type": "ipv4", "prices": address}],
        "server_types": [{"id": t["id"], "name": t["name"], "prices": t["prices"]} for t in SERVER_TYPES],
    }
    return Answer(200, {"pricing": document})


def datacenters(_call: Call) -> Answer:
    raise ApiError(410, "deprecated_api_endpoint", "datacenters were removed from the API: use locations")


ROUTES: Routes = [
    *_family("locations", "location", LOCATIONS),
    *_family("server_types", "server_type", SERVER_TYPES),
    *_family("images", "image", IMAGES),
    ("GET", "/pricing", pricing),
    ("GET", "/datacenters", datacenters),
    ("GET", "/datacenters/{id}", datacenters),
]
