"""torch's initializers: they fill an array in place and return it."""

from ._deprecated import (
    constant,
    dirac,
    eye,
    kaiming_normal,
    kaiming_uniform,
    normal,
    orthogonal,
    sparse,
    uniform,
    xavier_normal,
    xavier_uniform,
)
from ._fans import calculate_fan_in_and_fan_out
from ._gain import calculate_gain
from .constant_init import constant_
from .dirac_init import dirac_
from .eye_init import eye_
from .kaiming_normal_init import kaiming_normal_
from .kaiming_uniform_init import kaiming_uniform_
from .normal_init import normal_
from .ones_init import ones_
from .orthogonal_init import orthogonal_
from .sparse_init import sparse_
from .trunc_normal_init import trunc_normal_
from .uniform_init import uniform_
from .xavier_normal_init import xavier_normal_
from .xavier_uniform_init import xavier_uniform_
from .zeros_init import zeros_

__all__ = [
    "calculate_fan_in_and_fan_out",
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]
