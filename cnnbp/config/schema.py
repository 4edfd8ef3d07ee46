"""The configuration's JSON Schema: an editor that is given it completes, explains and checks while one types."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from cnnbp.config.models import Config
from cnnbp.config.own_layers import OwnCode, merged
from cnnbp.layers.own import knowing


def json_schema(code: Sequence[OwnCode] = ()) -> dict[str, Any]:
    """Return the schema, JSON Schema draft 2020-12, with the layers of imported files."""
    with knowing(merged(code)):
        described = Config.model_json_schema(schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "cnnbp configuration", **described}


class _Generator(GenerateJsonSchema):
    """Pydantic's, without the titles that only repeat the names, and with defaults spelled as in a configuration."""

    def generate(self, schema: Any, mode: Any = "validation") -> JsonSchemaValue:
        """Return the schema, its titles removed."""
        return _without_titles(super().generate(schema, mode))

    def encode_default(self, dft: Any) -> Any:
        """Return the default of an option; a choice is its word."""
        return dft.type if isinstance(dft, BaseModel) and hasattr(dft, "type") else super().encode_default(dft)


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_titles(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_titles(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}
