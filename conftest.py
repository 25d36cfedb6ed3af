"""Loads the plugin; nothing is kept between runs, or read from earlier ones: tests plant mistakes in what computes."""

import os

from oracle.keeping.store import OFF, VARIABLE

pytest_plugins = ["oracle.pytest_plugin"]
os.environ[VARIABLE] = OFF
