"""The embedded cloud: the APIs of Hetzner Cloud and Cloudflare DNS, and a key service, on loopback only.

It keeps the rules of the real ones that a cluster meets (docs/local-cloud.md lists them, and what is not emulated), so
that the real engine can be tried without an account. It is a stand-in: an answer here proves nothing about a bill,
a quota or a data centre.
"""
