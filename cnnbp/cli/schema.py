"""`cnnbp schema`: the configuration's JSON Schema."""

from cnnbp.cli.common import Common, verb
from cnnbp.config import json_schema
from cnnbp.report.document import write_json


@verb
def schema(*, common: Common) -> None:
    """Print the schema, by which editors complete and check a configuration."""
    write_json(json_schema())
