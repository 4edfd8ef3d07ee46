"""How a choice is spelled in a configuration: a plain word where the defaults serve, else one key with its options.

relu        {maxpool2d: {kernel: 2}}        sgd        {adam: {lr: 1e-3}}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    _Read = TypeVar("_Read", covariant=True)
    _Given = TypeVar("_Given", contravariant=True)

    class Coerced(Generic[_Read, _Given]):
        """To type checkers, an option that is read as one type and may be given as another, as a descriptor is."""

        def __get__(self, instance: object, owner: Any = None) -> _Read: ...

        def __set__(self, instance: object, value: _Given) -> None: ...


def coerced(default: object) -> Any:
    """Return the default of an option that may be given in other types, for which type checkers have no word."""
    return default


@dataclass(frozen=True)
class OneOf:
    """Annotation for a pydantic field that holds one model out of several, spelled by its name.

    `models` is a function so that a model may stand in its own list (a residual block holds layers). `more` are others
    that are known only now and then: it is asked each time.
    """

    kind: str
    models: Callable[[], Mapping[str, type[BaseModel]]]
    more: Callable[[], Mapping[str, type[BaseModel]]] = dict

    @property
    def known(self) -> Mapping[str, type[BaseModel]]:
        """All models that may be spelled now."""
        return {**self.models(), **self.more()}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {
            name: core_schema.typed_dict_field(handler.generate_schema(model), required=False)
            for name, model in self.models().items()
        }
        by_home: dict[Any, CoreSchema] = {
            "models": core_schema.typed_dict_schema(fields, extra_behavior="forbid"),
            "more": core_schema.no_info_plain_validator_function(self._one_of_more),
        }
        one_key = core_schema.chain_schema(
            [
                core_schema.no_info_plain_validator_function(self._as_one_key),
                core_schema.tagged_union_schema(by_home, lambda v: "models" if next(iter(v)) in fields else "more"),
                core_schema.no_info_plain_validator_function(_the_only_value),
            ]
        )
        by_type: dict[Any, CoreSchema] = {"model": core_schema.is_instance_schema(BaseModel), "spelling": one_key}
        return core_schema.tagged_union_schema(
            by_type,
            lambda value: "model" if isinstance(value, BaseModel) else "spelling",
            serialization=core_schema.plain_serializer_function_ser_schema(self._spelled, info_arg=True),
            metadata={"pydantic_js_functions": [self._json_schema(fields)]},
        )

    def _spelled(self, value: BaseModel, info: SerializationInfo) -> Any:
        """Write a model as a configuration spells it: the word, or one key with its options."""
        options = value.model_dump(mode="json", exclude_none=info.exclude_none, exclude_unset=info.exclude_unset)
        return {self.name_of(value): options} if options else self.name_of(value)

    def name_of(self, value: BaseModel) -> str:
        """Return the name that a model is spelled by."""
        known = (name for name, model in self.models().items() if model is type(value))
        return next(known, None) or str(getattr(value, "type", type(value).__name__))

    def _one_of_more(self, value: Mapping[str, Any]) -> dict[str, BaseModel]:
        [name] = value
        one_key: Any = dict[str, self.more()[name]]  # type: ignore[misc]  # so that errors lead through the name
        return TypeAdapter[dict[str, BaseModel]](one_key).validate_python(value, strict=True)

    def _as_one_key(self, value: Any) -> dict[str, Any]:
        if isinstance(value, str):
            value = {value: {}}
        if not isinstance(value, Mapping) or len(value) != 1:
            raise PydanticCustomError(
                "not_one_key",
                "a {kind} is a word, or one key with its options",
                {"kind": self.kind, "known": list(self.known)},
            )
        [(name, options)] = value.items()
        if name not in self.known:
            raise PydanticCustomError(
                "unknown_choice",
                'unknown {kind} "{name}"',
                {"kind": self.kind, "name": str(name), "known": list(self.known)},
            )
        return {name: {} if options is None else options}

    def _json_schema(self, fields: Mapping[str, Any]) -> Callable[[CoreSchema, GetJsonSchemaHandler], JsonSchemaValue]:
        def describe(_: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
            models, more = self.known, self.more()
            fields_of_all = {**fields, **{name: _field(model) for name, model in more.items()}}
            words = [name for name, model in models.items() if has_defaults(model)]
            spelled_out = {
                name: core_schema.typed_dict_field(
                    core_schema.nullable_schema(field["schema"]) if name in words else field["schema"], required=False
                )
                for name, field in fields_of_all.items()
            }
            one_key = handler(core_schema.typed_dict_schema(spelled_out, extra_behavior="forbid"))
            one_key |= {"minProperties": 1, "maxProperties": 1}
            return {"anyOf": [*({"const": word, "description": first_line(models[word])} for word in words), one_key]}

        return describe


def first_line(model: type[BaseModel]) -> str:
    """Return what a model's docstring says in its first line."""
    return (model.__doc__ or "").partition("\n")[0]


def has_defaults(model: type[BaseModel]) -> bool:
    """Tell whether the plain word is enough: no option without a default."""
    return not any(field.is_required() for field in model.model_fields.values())


def _field(model: type[BaseModel]) -> Any:
    model.model_rebuild()
    return core_schema.typed_dict_field(model.__pydantic_core_schema__, required=False)


def _the_only_value(chosen: dict[str, BaseModel]) -> BaseModel:
    [model] = chosen.values()
    return model
