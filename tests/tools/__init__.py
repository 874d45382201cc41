"""Level 3's groundwork: how the engine, its plugins and the Python environment get onto a machine.

Everything here runs on fakes in a folder of its own: a fake `pulumi`, fake ways to an engine, a release site on
loopback. What only a real download or a real build can show is not proven here.
"""
