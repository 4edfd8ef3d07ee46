import platform

import numpy as np

from cnnbp import __version__
from cnnbp.training.environment import describe_environment


def test_it_names_what_the_last_bits_depend_on():
    environment = describe_environment(3)
    assert environment.python == platform.python_version()
    assert (environment.packages["cnnbp"], environment.packages["numpy"]) == (__version__, np.__version__)
    assert environment.threads == 3
    assert environment.blas
    assert environment.cpu
