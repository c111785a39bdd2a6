"""`make types`: write the TypeScript declarations of `events/types/` from the JSON Schemas of `events/schemas/`.

It reads the keywords that these two schemas use. A schema with a title becomes an exported type. Any other schema is
written where it is used.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parents[1] / "events"
TYPES = EVENTS / "types"
NAMES = {"message": "QueueMessage", "record": "TableRecord"}
WIDTH = 100
TYPES_OF_VALUES = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "null": "null",
    "object": "{ [name: string]: unknown }",
}

Schema = Mapping[str, Any]


def main() -> int:
    """Write the files and print their paths."""
    TYPES.mkdir(exist_ok=True)
    for name in NAMES:
        path = TYPES / f"{name}.d.ts"
        path.write_text(declarations(name))
        print(path.relative_to(EVENTS.parent))
    return 0


def declarations(name: str) -> str:
    """Return the declarations of a schema by its name."""
    file = f"{name}.schema.json"
    root: Schema = json.loads((EVENTS / "schemas" / file).read_text())
    titled = [schema for schema in root.get("$defs", {}).values() if "title" in schema]
    parts = [f"// Made by `make types` from ../schemas/{file}. Change the schema, not this file."]
    parts += ["\n".join(_declaration(schema["title"], schema, root)) for schema in titled]
    parts.append("\n".join(_declaration(NAMES[name], root, root)))
    return "\n\n".join(parts) + "\n"


def _declaration(name: str, schema: Schema, root: Schema) -> Iterator[str]:
    yield from _comment(schema.get("description"), "")
    if "oneOf" in schema:
        yield f"export type {name} = {_type(schema, root)};"
        return
    yield f"export interface {name} {{"
    required = schema.get("required", ())
    for field, value in schema["properties"].items():
        yield from _comment(_description(value, root), "  ")
        yield f"  {field}{'' if field in required else '?'}: {_type(value, root)};"
    yield "}"


def _description(schema: Schema, root: Schema) -> str | None:
    found: str | None = schema.get("description")
    return found if found or "$ref" not in schema else _description(_referred(schema, root), root)


def _type(schema: Schema, root: Schema) -> str:
    """Return the type of a value; what no type can express, such as a pattern, is left to the comment."""
    if "$ref" in schema:
        referred = _referred(schema, root)
        return str(referred["title"]) if "title" in referred else _type(referred, root)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    if "oneOf" in schema:
        return " | ".join(dict.fromkeys(_type(choice, root) for choice in schema["oneOf"]))
    if "properties" in schema:
        required = schema.get("required", ())
        fields = (
            f"{name}{'' if name in required else '?'}: {_type(value, root)}"
            for name, value in schema["properties"].items()
        )
        return f"{{ {'; '.join(fields)} }}"
    kinds = schema.get("type", ())
    names = [kinds] if isinstance(kinds, str) else kinds
    return " | ".join(TYPES_OF_VALUES[name] for name in names) or "unknown"


def _referred(schema: Schema, root: Schema) -> Schema:
    found: Schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return found


def _comment(text: str | None, indent: str) -> Iterator[str]:
    if text is None:
        return
    lines = textwrap.wrap(text, WIDTH - len(indent) - 3, break_on_hyphens=False)
    if len(lines) == 1 and len(lines[0]) <= WIDTH - len(indent) - 7:
        yield f"{indent}/** {lines[0]} */"
        return
    yield f"{indent}/**"
    yield from (f"{indent} * {line}" for line in lines)
    yield f"{indent} */"


if __name__ == "__main__":
    raise SystemExit(main())
