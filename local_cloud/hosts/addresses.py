"""Addresses inside the closed network in which the hosts live.

A server's public IPv4 address in the API is 127.90.x.y of this machine; the host itself has 198.18.x.y, since a
loopback address cannot leave a host. Both ranges are /16, so the last two bytes say which belongs to which.
"""

import ipaddress

GATEWAY = "172.31.1.1"  # next hop of every public address, as at Hetzner
METADATA = "169.254.169.254"
DHCP_SERVER = "198.19.255.254"
RESOLVER = "198.19.255.53"
ARCHIVES = "198.19.255.80"  # package archives over HTTP and HTTPS, under their real names
ACME = "198.19.255.44"  # stands for Let's Encrypt
WORLD = "198.19.255.1"  # whoever comes from outside, over 127.90.x.y

# Of EC2 alone.
VPC_RESOLVER = "169.254.169.253"
ROUTERS = ipaddress.IPv4Network("198.19.128.0/18")  # of VPCs, towards the site
ASKING = ipaddress.IPv4Network("198.19.0.0/17")  # as whom an instance asks the site's services: private ranges overlap

_OUTSIDE = ipaddress.IPv4Network("127.90.0.0/16")
_INSIDE = ipaddress.IPv4Network("198.18.0.0/16")


def inside(outside: str) -> str:
    """The host's own address for a public address of the API (127.90.x.y); any other address stays as it is."""
    return _moved(outside, _OUTSIDE, _INSIDE)


def outside(inside: str) -> str:
    """The reverse of `inside`."""
    return _moved(inside, _INSIDE, _OUTSIDE)


def _moved(text: str, source: ipaddress.IPv4Network, target: ipaddress.IPv4Network) -> str:
    address = ipaddress.ip_address(text)
    if not isinstance(address, ipaddress.IPv4Address) or address not in source:
        return text
    return str(target[int(address) - int(source.network_address)])
