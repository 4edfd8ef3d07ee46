"""A configuration as complete YAML: every option is written out, so that it runs the same job again."""

import re
from typing import Any

import yaml

from cnnbp.config.loader import parse_config
from cnnbp.config.models import Config
from cnnbp.config.own_layers import carried
from cnnbp.config.scalars import resolved
from cnnbp.errors import ConfigError

_ESCAPED = re.compile("[\n\r\x85\u2028\u2029]")  # what ends a line of YAML; PyYAML itself escapes what YAML cannot hold


def dump_config(config: Config) -> str:
    """Return YAML that reads back to an equal configuration, wherever it lies: data.path is absolute."""
    return _dumped(config.model_dump(mode="json", exclude_none=True))


def require_that_it_can_be_written(config: Config) -> None:
    """Raise ConfigError unless the configuration, written down, is read back as it is.

    Every way to make one should see to that. A run asks before its first step: it could be neither resumed nor used.
    """
    try:
        again = parse_config(dump_config(config), "written down", find_code=carried(config.code))
    except ConfigError as error:
        raise ConfigError(f"this configuration cannot be written down and read again:\n{error}") from error
    changed = [name for name in Config.model_fields if getattr(again, name) != getattr(config, name)]
    if changed:
        raise ConfigError(f"this configuration cannot be written down: {', '.join(changed)} would be read as another")


def yaml_word(text: str) -> str:
    """Return a text as it stands in YAML, quoted where it must be."""
    return _dumped(text).removesuffix("\n").removesuffix("\n...")


def _dumped(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9, default_flow_style=None)


class _Dumper(yaml.SafeDumper):
    """Writes mappings of plain values on one line, and quotes what YAML 1.2 would not read as text."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Quote `1e-3` and its like, which PyYAML takes for text; keep a text on one line."""
        style = '"' if _ESCAPED.search(text) else None if _is_text(text) else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal parts out each time."""
        return True


_Dumper.add_representer(str, _Dumper.represent_text)


def _is_text(word: str) -> bool:
    try:
        return isinstance(resolved(word), str)
    except ValueError:
        return False
