"""Loads the plugin, nothing else."""

pytest_plugins = ["oracle.pytest_plugin"]
