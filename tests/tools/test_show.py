"""The table at the end of `make up`: what the stack's output says, in columns."""

from typing import Any

from tools import show


def host(name: str, location: str, private: str, *records: str) -> dict[str, Any]:
    addresses = {"publicIpv4": "127.90.0.3", "publicIpv6": "2001:db8::1", "privateIpv4": private}
    return {"name": name, "location": location, "type": "cx33", "placementGroup": None, "records": records} | addresses


CLUSTER = {
    "url": "https://meet.fleet.test",
    "shards": [host("shard-1", "fsn1", "10.0.1.2", "_jitsi-shard._tcp.meet.fleet.test", "shard-1.meet.fleet.test")],
    "bridges": [host("bridge-10", "nbg1", "10.0.16.11", "bridge-10.meet.fleet.test")],
}


def test_the_address_comes_first_and_each_host_has_a_line() -> None:
    assert show.table(CLUSTER).splitlines() == [
        "https://meet.fleet.test",
        "",
        "name       location  type  public      private     names",
        "shard-1    fsn1      cx33  127.90.0.3  10.0.1.2    shard-1.meet.fleet.test",
        "bridge-10  nbg1      cx33  127.90.0.3  10.0.16.11  bridge-10.meet.fleet.test",
    ]
