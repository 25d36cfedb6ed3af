"""``python -m oracle``."""

from .cli import main

main()
