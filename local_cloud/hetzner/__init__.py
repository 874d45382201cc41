"""Hetzner Cloud's API, version 1, as of October 2026 (no datacenters). One file per family of resources."""
