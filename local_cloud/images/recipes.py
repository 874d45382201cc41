"""What is in each image and what its archive offers beyond it: to change when a role installs something new.

Networking is what a cloud's image of the release uses. Debian 12: ifupdown with ISC's DHCP client, which also writes
/etc/resolv.conf (Hetzner's image). Debian 13, which no longer has that client: netplan in front of systemd-networkd and
systemd-resolved (Debian's cloud image, https://wiki.debian.org/Netplan).
"""

from dataclasses import dataclass

# `apt-utils`: with it, as on every cloud's image, packages ask their questions before anything is unpacked.
# `locales`: without it cloud-init's module of that name fails.
# `unattended-upgrades`, `uuid-runtime`, `xz-utils`: Debian's own cloud images have them, of release 11 and of 12
# (package_config/CLOUD and EXTRAS in https://salsa.debian.org/cloud-team/debian-cloud-images).
_BASE = (
    "apt-utils",
    "ca-certificates",
    "cloud-init",
    "cron",
    "curl",
    "dbus",
    "debconf-utils",
    "gnupg",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "libpam-systemd",
    "locales",
    "logrotate",
    "netbase",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "tzdata",
    "udev",
    "unattended-upgrades",
    "uuid-runtime",
    "xz-utils",
)

# What the stand-ins of Jitsi's packages are written with. In the image, so that a host installs no more with them than
# with the real ones: unpacking and compiling these was a seventh of its work.
_STAND_INS = ("python3-aiohttp", "python3-slixmpp")

# What cloud_init/*/files/usr/local/lib/jitsi-fleet/install installs beside Jitsi's own packages.
_ROLES = (
    "ca-certificates",
    "certbot",
    "curl",
    "jq",
    "nftables",
    "nginx",
    "prosody",
    "ruby-hocon",
    "systemd-timesyncd",
    "unattended-upgrades",
    "uuid-runtime",
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`base`: packages of the root file system; `offered`: packages that hosts may install, with all they need."""

    codename: str
    base: tuple[str, ...]
    offered: tuple[str, ...]


RECIPES = {
    "debian-12": Recipe(
        codename="bookworm",
        base=(*_BASE, *_STAND_INS, "python3-slixmpp-lib", "ifupdown", "isc-dhcp-client"),
        offered=(*_ROLES, "openjdk-17-jre-headless"),
    ),
    "debian-13": Recipe(
        codename="trixie",
        base=(*_BASE, *_STAND_INS, "netplan.io", "systemd-resolved"),
        offered=(*_ROLES, "openjdk-21-jre-headless"),
    ),
}
