"""Records (frozen dataclasses) to JSON values and back: the one mechanism for everything that is stored or sent.

Also here: what a message says about a stored or sent value of the wrong type.

pydantic does the work, by its ``TypeAdapter`` over our plain dataclasses. It comes with our dependencies already, reads
the types that the dataclasses declare, does not convert silently (a text is no number, ``true`` is not 1), and
reports where in the input a bad value stands. cattrs does the same job, but would be one more dependency, and locating
bad values is an extra of it.

pydantic is imported on first use, since it takes 0.1 s; the adapter of a class takes a few milliseconds and is kept.
Checks of values (a range, two fields that must fit together) stay in ``__post_init__`` of the dataclass, and what it
raises arrives unchanged.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from gwas_core.errors import GwasError, InputError, SettingsError
from gwas_core.messages import quoted

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
    from pydantic_core import CoreSchema, ErrorDetails

JsonObject = dict[str, Any]
"""JSON object: the stored form of a record, or one that is not ours to declare (of Kubernetes, plotly or Keras)."""

Record = TypeVar("Record")

_LONGEST_PART = 40

_EXPECTED = {
    "bool_type": "true or false",
    "datetime_from_date_parsing": "a time",
    "datetime_parsing": "a time",
    "datetime_type": "a time",
    "dataclass_type": "named entries",
    "dict_type": "named entries",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "none_required": "empty",
    "path_type": "a path",
    "string_type": "text",
    "tuple_type": "a list",
}
"""What a field must be, by pydantic's name of the error."""


class CustomForm:
    """Base of a record whose JSON form differs from its fields.

    A subclass defines ``to_dict`` and the class method ``from_dict`` (raising a ``GwasError``); both are then used
    wherever the record is part of another one.
    """

    def to_dict(self) -> JsonObject:
        """Return the record as JSON values."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, values: Any) -> Any:
        """Return the record that untrusted JSON values describe."""
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.from_dict,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda record: record.to_dict()),
        )


def to_json_values(record: Any) -> JsonObject:
    """Return a record as JSON values: a dictionary with an entry for each field, lists for tuples, text for enums.

    Numbers that are not finite stay as they are; ``files.write_json`` refuses them.

    Args:
        record: an instance of a dataclass.
    """
    # No warnings: a list where a tuple is declared, as people write in notebooks, is written like one.
    return cast(JsonObject, _adapter(type(record)).dump_python(record, mode="json", warnings="none"))


def from_json_values(
    kind: type[Record],
    values: Any,
    *,
    name: str,
    error: type[InputError] | type[SettingsError] = SettingsError,
    field: str = "",
    ignore_unknown: bool = False,
) -> Record:
    """Return the record that untrusted JSON values describe: the inverse of ``to_json_values``.

    Fields that are not given take their default.

    Args:
        kind: the dataclass.
        values: what ``json.loads`` returned, or a part of it.
        name: what is read, for the messages: ``"experiment"``.
        error: what is raised for a value that does not fit: ``SettingsError``, whose ``field`` is the location of
            the value (``"split.seed"``), or ``InputError``.
        field: location of ``values`` itself, which is put before the locations inside of it.
        ignore_unknown: whether entries that the dataclass does not have are left out instead of refused.

    Raises:
        InputError, SettingsError: whichever ``error`` says, for the first value that does not fit.
        GwasError: raised by the dataclass itself when it checks its fields; it arrives unchanged.
    """
    from pydantic import ValidationError

    try:
        # As text: only from JSON does pydantic's strict mode take a list for a tuple and a text for an enum.
        # Half characters, as in paths that are no UTF-8, come back as question marks: pydantic takes none.
        text = json.dumps(values, ensure_ascii=False).encode("utf-8", errors="replace")
    except (TypeError, ValueError, RecursionError) as unwritable:
        raise _error(error, name, f"{name} holds a value that JSON cannot express", field or name) from unwritable
    try:
        return _adapter(kind).validate_json(text, strict=True, extra="ignore" if ignore_unknown else "forbid")
    except ValidationError as refusal:
        raise _translated(refusal, values, name=name, error=error, field=field) from refusal


class TaggedRecords(Generic[Record]):
    """Reader and writer of records of several dataclasses, told apart by one entry of their JSON form.

    Args:
        tag: name of that entry, such as ``"type"``; none of the dataclasses has a field of this name.
        kinds: dataclasses by the value of the entry.
        name: what is read, for the messages: ``"job"``.
    """

    def __init__(self, tag: str, kinds: Mapping[str, type[Record]], *, name: str) -> None:
        self._tag = tag
        self._kinds = kinds
        self._values = {kind: value for value, kind in kinds.items()}
        self._name = name

    def to_json_values(self, record: Record) -> JsonObject:
        """Return a record as JSON values, with the entry that tells its dataclass."""
        return {self._tag: self._values[type(record)], **to_json_values(record)}

    def from_json_values(self, values: Any) -> Record:
        """Return the record that untrusted JSON values describe.

        Raises:
            InputError: they describe none of the dataclasses.
        """
        tag = values.get(self._tag) if isinstance(values, Mapping) else None
        kind = self._kinds.get(tag) if isinstance(tag, str) else None
        if kind is None:
            raise InputError(f"{self._name}: there is no {self._tag} {quoted(tag)}")
        entries = {name: value for name, value in values.items() if name != self._tag}
        return from_json_values(kind, entries, name=self._name, error=InputError)

    def prepare(self) -> None:
        """Import pydantic and make the adapters now, as before forking processes that need them."""
        for kind in self._kinds.values():
            _adapter(kind)


@functools.cache
def _cached_adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _adapter(kind: type[Record]) -> TypeAdapter[Record]:
    return _cached_adapter(cast(Any, kind))


def _translated(
    refusal: ValidationError, values: Any, *, name: str, error: type[InputError] | type[SettingsError], field: str
) -> GwasError:
    """Return our error for the first thing that pydantic refused."""
    first = refusal.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, GwasError):
        return cause
    parts = [_part(part) for part in _location(first["loc"], values)]
    if first["type"] == "missing":
        parts.append(str(first["loc"][-1]))
    place = ".".join(([field] if field else []) + parts)
    if first["type"] == "missing":
        return _error(error, name, f"{'.'.join([name, *parts[:-1]])} needs {parts[-1]}", place)
    if first["type"] == "unexpected_keyword_argument":
        return _error(
            error, name, f"{'.'.join([name, *parts[:-1]])} has no entry {quoted(str(first['loc'][-1]))}", place[:80]
        )
    sentence = f"{place or name} must be {_expected(first)}, not {quoted(first['input'])}"
    return _error(error, name, sentence, (place or name)[:80])


def _error(
    error: type[InputError] | type[SettingsError], name: str, sentence: str, field: str
) -> InputError | SettingsError:
    if issubclass(error, SettingsError):
        return error(sentence, field=field)
    return error(sentence if sentence.startswith(name) else f"{name}: {sentence}")


def _expected(details: ErrorDetails) -> str:
    if details["type"] in ("literal_error", "enum"):
        return f"one of {details['ctx']['expected']}".replace("'", "")
    # Anything else keeps pydantic's own words: "Input should be greater than 0".
    return _EXPECTED.get(details["type"]) or details["msg"].removeprefix("Input should be ").lower()


def _part(part: int | str) -> str:
    """Return a part of a location as it can stand in a message: names of entries may come from outside too."""
    text = str(part)
    return text if text.isprintable() and len(text) <= _LONGEST_PART else quoted(text, limit=_LONGEST_PART)


def _location(path: tuple[int | str, ...], values: Any) -> tuple[int | str, ...]:
    """Return the part of a location that lies in the input; pydantic adds names of its own for unions and keys."""
    for depth, step in enumerate(path):
        if isinstance(values, Mapping):
            by_text = {str(key): value for key, value in values.items()}
            if str(step) not in by_text:
                return path[:depth]
            values = by_text[str(step)]
        elif isinstance(values, Sequence) and not isinstance(values, str) and isinstance(step, int):
            if not 0 <= step < len(values):  # an item that is missing
                return path[:depth]
            values = values[step]
        else:
            return path[:depth]
    return path
