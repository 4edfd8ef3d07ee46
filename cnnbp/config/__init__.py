"""The configuration language: YAML to frozen models, with every error at its place in the text."""

from cnnbp.config.checks import check_against_classes, require_suitable_outputs
from cnnbp.config.dump import dump_config, require_that_it_can_be_written
from cnnbp.config.loader import load_config, parse_config, read_plain, text_of
from cnnbp.config.models import Config, DataConfig, EarlyStopping, InputConfig, NormalizeConfig, TrainConfig
from cnnbp.config.one_layer import parse_layer
from cnnbp.config.own_layers import OwnCode, carried, layers_of
from cnnbp.config.own_trial import require_own_layers_to_work
from cnnbp.config.schema import json_schema

__all__ = [
    "Config",
    "DataConfig",
    "EarlyStopping",
    "InputConfig",
    "NormalizeConfig",
    "OwnCode",
    "TrainConfig",
    "carried",
    "check_against_classes",
    "dump_config",
    "json_schema",
    "layers_of",
    "load_config",
    "parse_config",
    "parse_layer",
    "read_plain",
    "require_own_layers_to_work",
    "require_suitable_outputs",
    "require_that_it_can_be_written",
    "text_of",
]
