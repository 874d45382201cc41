"""Address ranges (CIDR) of the settings: who may reach SSH, and the private network."""

from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network

from components.rules.secret_shapes import shown

OWN_ADDRESS = "`curl -4 https://icanhazip.com` prints the public address of the machine where it runs; add /32 to it"
RFC_1918 = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))


def admin_range(text: str) -> str:
    """The range in canonical form; a single address becomes /32 or /128. ValueError names the rule."""
    network = _network(text)
    if network.prefixlen == 0:
        raise ValueError(
            f"{network} would open SSH to the whole internet, where it is attacked within minutes; "
            f"name the ranges of the people who operate the cluster, or of their VPN. {OWN_ADDRESS}"
        )
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        plain = f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}"
        raise ValueError(f"{network} is an IPv4 range in IPv6 form, which firewalls never match; write {plain}")
    return str(network)


def separate(ranges: tuple[str, ...]) -> tuple[str, ...]:
    """The ranges, if there are any and none is within another: nftables refuses sets that overlap."""
    if not ranges:
        raise ValueError(f"is an empty list, so nobody could reach SSH; write one range at least. {OWN_ADDRESS}")
    networks = [ip_network(text) for text in ranges]
    overlaps = [
        f"{inner} is listed twice; remove one"
        if inner == outer
        else f"{inner} is already within {outer}; remove it, or {outer} if that is too wide"
        for i, inner in enumerate(networks)
        for k, outer in enumerate(networks)
        if i != k and _is_within(inner, outer) and (inner != outer or i > k)
    ]
    if overlaps:
        raise ValueError(". ".join(dict.fromkeys(overlaps)))
    return ranges


def private_network(text: str) -> IPv4Network:
    """The cluster's private network: a /16 of RFC 1918, so that each role gets a range of its own in it."""
    network = _network(text)
    if not isinstance(network, IPv4Network):
        raise ValueError(f"{network} is IPv6; private networks of the cloud are IPv4, write one such as 10.80.0.0/16")
    if network.prefixlen != 16:
        raise ValueError(
            f"{network} is a /{network.prefixlen}; it must be a /16, because each role has a range of its own in it. "
            "Write one such as 10.80.0.0/16"
        )
    if not any(network.subnet_of(private) for private in RFC_1918):
        raise ValueError(
            f"{network} is not private; hosts there would hide others on the internet. "
            "Write a /16 within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        )
    return network


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        interface = ip_interface(text)
    except ValueError:
        interface = None
    if interface is None or "%" in text:
        raise ValueError(f"{shown(text)} is not an address range; write one such as 203.0.113.7/32 or 2001:db8:1::/48")
    network = interface.network
    if interface.ip != network.network_address:
        raise ValueError(
            f"{shown(text)} has host bits set behind its prefix, so it is unclear how much is meant; write {network}, "
            f"or {interface.ip}/{network.max_prefixlen} if only that address is meant"
        )
    return network


def _is_within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False
