"""Messages made from the queue message's JSON Schema itself, whatever it says, for the rules that the code has."""

from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

Schema = dict[str, Any]


def from_schema(schema: Schema) -> st.SearchStrategy[Any]:
    """Return what a schema takes, of the keywords that this one is made of."""
    return _of(schema, schema)


def _of(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    taken = Draft202012Validator({**schema, "$defs": root["$defs"]}).is_valid
    return _candidates(schema, root).filter(taken)


def _candidates(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    """Return what has a good chance to be taken: a choice, a pattern or a type says the most of a schema."""
    if "properties" in schema:
        every = {name: _of(each, root) for name, each in schema["properties"].items()}
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
        # The lengths at both ends, of digits too; and any short text.
        ends = [character * length for length in (least, most) if length for character in "æ5"]
        short = st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=min(most or 40, 40))
        return short | st.sampled_from(ends) if ends else short
    if name == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    return st.one_of(
        st.floats(schema["exclusiveMinimum"], schema["exclusiveMaximum"], exclude_min=True, exclude_max=True),
        st.integers(1, int(schema["exclusiveMaximum"]) - 1),
    )
