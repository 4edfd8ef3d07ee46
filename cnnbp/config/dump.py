"""A configuration as complete YAML: with every option, so that it runs the same job again."""

from typing import Any

import yaml

from cnnbp.config.models import Config


def dump_config(config: Config) -> str:
    """Return YAML that `load_config` reads to an equal configuration; data.path is absolute."""
    values = config.model_dump(mode="json", exclude_none=True)
    return "".join(_block(key, value) for key, value in values.items())


def _block(key: str, value: Any) -> str:
    return yaml.dump({key: value}, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=100)
