"""Level 3: the real Pulumi engine, with real plugins where they can be downloaded and doubles held to recordings
elsewhere, against the embedded cloud. Proves create, resize, replace, drift, destroy, failure and retry."""
