"""Level 1: the whole program against a recording engine, no CLI. Proves names, parents, options, counts, secrets."""
