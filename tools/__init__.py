"""What `make` runs: the Python environment, the engine, the plugins, the dev stack, the tests."""
