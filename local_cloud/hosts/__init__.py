"""Servers that boot: systemd-nspawn hosts in a network of their own, as the APIs' state says (docs/local-cloud.md)."""
