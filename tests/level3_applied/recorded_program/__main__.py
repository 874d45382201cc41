"""The program that the recordings of the real plugins were made with, declared again; `settings.json` is its step.

Different from then: two placement groups, because a spread group takes ten servers and step 26 has fourteen at a
time; names in the zone of the embedded cloud.
"""

import json
from pathlib import Path

import pulumi
import pulumi_cloudflare as cloudflare
import pulumi_command as command
import pulumi_hcloud as hcloud
import pulumi_random as random
import pulumi_tls as tls

settings = json.loads(Path("settings.json").read_text())
domain, zone = "meet.fleet.test", settings["zone"]

ca_key = tls.PrivateKey("ca", algorithm="ECDSA", ecdsa_curve="P256")
auth_key = tls.PrivateKey("auth", algorithm="ECDSA", ecdsa_curve="P256")
ssh_key = tls.PrivateKey("operations", algorithm="ED25519")
ca = tls.SelfSignedCert(
    "ca",
    private_key_pem=ca_key.private_key_pem,
    is_ca_certificate=True,
    set_subject_key_id=True,
    validity_period_hours=87600,
    early_renewal_hours=8760,
    allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
    subject={"common_name": "cluster CA", "organization": "example"},
)
request = tls.CertRequest(
    "auth",
    private_key_pem=auth_key.private_key_pem,
    dns_names=[f"auth.{domain}"],
    subject={"common_name": f"auth.{domain}"},
)
tls.LocallySignedCert(
    "auth",
    cert_request_pem=request.cert_request_pem,
    ca_private_key_pem=ca_key.private_key_pem,
    ca_cert_pem=ca.cert_pem,
    validity_period_hours=settings["certificate_hours"],
    allowed_uses=["server_auth", "digital_signature"],
)
password = random.RandomPassword(
    "jvb", length=32, special=False, keepers={"generation": str(settings["password_generation"])}
)
random.RandomId("cluster", byte_length=4)

labels = {"cluster": "rec"}
key = hcloud.SshKey("operations", public_key=ssh_key.public_key_openssh, labels=labels)
network = hcloud.Network("net", ip_range="10.0.0.0/16", labels=labels)
network_id = network.id.apply(int)
subnet = hcloud.NetworkSubnet(
    "net", network_id=network_id, type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24"
)
media: hcloud.FirewallRuleArgsDict = {
    "direction": "in",
    "protocol": "udp",
    "port": "10000",
    "source_ips": ["0.0.0.0/0", "::/0"],
    "description": "media",
}
metrics: hcloud.FirewallRuleArgsDict = {
    "direction": "in",
    "protocol": "tcp",
    "port": "9090",
    "source_ips": ["10.0.0.0/16"],
}
firewall = hcloud.Firewall("bridge", labels=labels, rules=[media, metrics] if settings["metrics_rule"] else [media])
groups = [hcloud.PlacementGroup(f"bridges-{number}", type="spread", labels=labels) for number in (1, 2)]

for index in range(1, settings["bridges"] + 1):
    server = hcloud.Server(
        f"bridge-{index}",
        server_type=settings["server_type"],
        image="debian-12",
        location="fsn1",
        ssh_keys=[key.id],
        firewall_ids=[firewall.id.apply(int)],
        placement_group_id=groups[index > 4].id.apply(int),
        labels={"role": settings["role"]},
        networks=[{"network_id": network_id}],
        public_nets=[{"ipv4_enabled": True, "ipv6_enabled": True}],
        user_data=pulumi.Output.format("#cloud-config\n# {0}{1}", password.result, settings["user_data"]),
        opts=pulumi.ResourceOptions(depends_on=[subnet]),
    )
    cloudflare.DnsRecord(
        f"bridge-{index}",
        zone_id=zone,
        name=f"bridge-{index}.{domain}",
        type="A",
        content=server.ipv4_address,
        ttl=settings["ttl"],
        proxied=False,
        comment="jitsi-fleet",
    )
    command.remote.Command(
        f"drain-{index}",
        connection=pulumi.Output.secret(settings["connection"]),
        delete=settings["drain"],
        triggers=[server.id],
    )
    pulumi.export(f"bridge-{index}", server.ipv4_address)

cloudflare.DnsRecord(
    "srv",
    zone_id=zone,
    name=f"_jvb._tcp.{domain}",
    type="SRV",
    ttl=60,
    data={"priority": 1, "weight": 1, "port": 8080, "target": f"bridge-1.{domain}"},
)
cloudflare.DnsRecord(
    "txt", zone_id=zone, name=f"{settings['txt_name']}.{domain}", type="TXT", ttl=60, content='"hello"'
)
