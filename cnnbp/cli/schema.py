"""`cnnbp schema`: the configuration's JSON Schema."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, load_job, verb
from cnnbp.config import json_schema
from cnnbp.report.document import write_json


@verb
def schema(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", show_default=False, help="With the layers that it imports.")
    ] = None,
    *,
    common: Common,
) -> None:
    """Print the schema, by which editors complete and check a configuration."""
    write_json(json_schema(load_job(config, (), common).code if config else ()))
