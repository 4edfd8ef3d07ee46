"""What holds for every test."""

from hypothesis import settings

settings.register_profile("cnnbp", deadline=None)  # a test must not fail because the machine is busy
settings.load_profile("cnnbp")
