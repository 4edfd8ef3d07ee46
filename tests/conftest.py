"""What holds for every test."""

import os

from hypothesis import settings

settings.register_profile("cnnbp", deadline=None)  # a test must not fail because the machine is busy
settings.load_profile("cnnbp")

for _name in ("COLUMNS", "LINES"):  # readline puts them into the environment behind Python's back
    os.environ.pop(_name, None)
    os.unsetenv(_name)
