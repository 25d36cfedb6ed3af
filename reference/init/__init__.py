"""torch's initializers: they fill an array in place and return it."""

from .normal_init import normal_
from .xavier_uniform_init import xavier_uniform_

__all__ = ["normal_", "xavier_uniform_"]
