"""Cloudflare's API, version 4: zones and their DNS records, as the plugin and the official client use them."""
