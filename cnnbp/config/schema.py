"""The JSON Schema of the configuration, for editors."""

from typing import Any

from cnnbp.config.models import Config


def json_schema() -> dict[str, Any]:
    """Return the schema, JSON Schema draft 2020-12."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
