"""Double of pulumi-hcloud 1.39.1, on Hetzner's own Python client; one file per resource.

Held to recordings of the real plugin: what replaces, what changes in place, which calls in which order, how an
action is awaited, how a refusal reads, what stays in the state when a creation fails half way.

Different on purpose: only endpoints on loopback are spoken to; data sources and the resources, inputs and changes
that this project does not use are refused by name; `__pulumi_raw_state_delta`, the bridge's private note on how to
rebuild a Terraform state, is neither made nor used (the real plugin does without it); the extra log line with the
plugin's own source position is left out; the plugin framework's longer error texts, which were not recorded, read
like those of the older half.
"""
