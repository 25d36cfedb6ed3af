"""``python -m oracle``."""

from .cli.app import main

main()
