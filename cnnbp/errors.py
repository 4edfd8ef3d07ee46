"""Every error that cnnbp raises on purpose.

    CnnbpError
    ├── ConfigError          the YAML, an override or a command's arguments       exit 2
    │   ├── ShapeError       a layer does not fit its input, arithmetic included  exit 2
    │   └── UnknownName      a name that is not there; a KeyError, too            exit 2
    ├── DataError            an image, a folder or a split                        exit 3
    │   └── CheckpointError  a checkpoint or a run directory                      exit 3
    ├── Diverged             NaN or Inf during training                           exit 1
    └── WrongStep            training's own code is not what the layers say       exit 1

A message says who, what was got, what was needed and what to do next; the command line prints it without a traceback.
"""


class CnnbpError(Exception):
    """Base of all errors that a user can cause; `exit_code` is what the process returns."""

    exit_code = 1


class ConfigError(CnnbpError):
    """A wrong configuration, override or argument."""

    exit_code = 2


class ShapeError(ConfigError):
    """A layer that does not fit the shape of its input; the message holds the arithmetic.

    `path` leads to the layer inside the configuration, as ("layers", 3).
    """

    path: tuple[str | int, ...] = ()


class UnknownName(ConfigError, KeyError):
    """A name that is not there; the message has the one that was probably meant."""

    __str__ = Exception.__str__  # a KeyError's would put the message in quotes


class DataError(CnnbpError):
    """An image, a folder or a split that cannot be used."""

    exit_code = 3


class CheckpointError(DataError):
    """A checkpoint or run directory that cannot be read, or does not fit its configuration."""


class Diverged(CnnbpError):
    """A loss, activation or gradient became NaN or infinite."""


class WrongStep(CnnbpError):
    """A step of training that is not what the network gives as it is written."""
