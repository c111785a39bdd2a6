"""Generates messages from the JSON Schema of the queue message, to compare the schema with the code."""

from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

Schema = dict[str, Any]


def from_schema(schema: Schema) -> st.SearchStrategy[Any]:
    """Return valid documents of a schema. Only the keywords of the queue message's schema are supported."""
    return _of(schema, schema)


def _of(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    is_valid = Draft202012Validator({**schema, "$defs": root["$defs"]}).is_valid
    return _candidates(schema, root).filter(is_valid)


def _candidates(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    """Return documents that are probably valid, by the choice, the pattern or the type of the schema."""
    if "properties" in schema:
        every = {name: _of(field, root) for name, field in schema["properties"].items()}
        required = {name: every.pop(name) for name in schema["required"]}
        return st.fixed_dictionaries(required, optional=every)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for part in schema.get("allOf", ()):
        if "anyOf" in part:
            return _candidates(part, root)
    if choices := schema.get("oneOf") or schema.get("anyOf"):
        about = {name: value for name, value in schema.items() if name not in {"oneOf", "anyOf", "not"}}
        return st.one_of([_of({**about, **choice}, root) for choice in choices])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_typed(name, schema) for name in types])


def _typed(name: str, schema: Schema) -> st.SearchStrategy[Any]:
    if name == "null":
        return st.none()
    if name == "string":
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        # Texts and digits of the least and the greatest length, and any short text.
        ends = [character * length for length in (least, most) if length for character in "æ5"]
        short = st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=min(most or 40, 40))
        return short | st.sampled_from(ends) if ends else short
    if name == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    return st.one_of(
        st.floats(schema["exclusiveMinimum"], schema["exclusiveMaximum"], exclude_min=True, exclude_max=True),
        st.integers(1, int(schema["exclusiveMaximum"]) - 1),
    )
