"""The TypeScript declarations match the JSON Schemas, and the JavaScript of the documentation matches both."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.declarations import NAMES, TYPES, declarations

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "events").glob("*.md"))]
EXAMPLE = re.compile(r"^```(javascript|typescript)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [(page, language, code) for page in PAGES for language, code in EXAMPLE.findall(page.read_text())]
# What a page leaves to its reader: the SDK's packages, and the addresses of a stack.
SURROUNDINGS = """
declare module "@aws-sdk/*";
declare const queueUrl: string;
"""

COMPILER = shutil.which("tsc")
needs_compiler = pytest.mark.skipif(
    COMPILER is None, reason="needs Node.js and TypeScript: npm install --global typescript"
)


def compiled(folder: Path, name: str, code: str) -> str:
    """The compiler's findings for a file that stands beside the folder `events`, empty for none."""
    (folder / "events").mkdir(exist_ok=True)
    shutil.copytree(TYPES, folder / "events" / "types", dirs_exist_ok=True)
    (folder / "surroundings.d.ts").write_text(SURROUNDINGS)
    (folder / name).write_text(code)
    options = ["--noEmit", "--strict", "--allowJs", "--checkJs", "--target", "es2022", "--module", "es2022"]
    options += ["--moduleResolution", "bundler", "--pretty", "false"]
    command = [str(COMPILER), *options, name, "surroundings.d.ts"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_declarations_are_those_of_the_schema(name: str) -> None:
    assert (TYPES / f"{name}.d.ts").read_text() == declarations(name), "run `make types`"


def test_there_is_an_example_in_javascript_and_in_typescript() -> None:
    assert {language for _, language, _ in EXAMPLES} == {"javascript", "typescript"}


@needs_compiler
@pytest.mark.parametrize(
    ("page", "language", "code"),
    EXAMPLES,
    ids=[f"{page.name}-{index}" for index, (page, _, _) in enumerate(EXAMPLES)],
)
def test_an_example_compiles(tmp_path: Path, page: Path, language: str, code: str) -> None:
    name = "example.mjs" if language == "javascript" else "example.mts"
    assert compiled(tmp_path, name, code) == "", page


@needs_compiler
@pytest.mark.parametrize(
    ("message", "finding"),
    [
        ('{ message: "Hello", recipient: 4512345678 }', ""),
        ('{ message: "Hello", recipient: "+45 12 34 56 78", reference: null, expiration: 3600 }', ""),
        ('{ message: "Hello", to: 4512345678 }', "'to' does not exist in type 'QueueMessage'"),
        ('{ message: "Hello" }', "Property 'recipient' is missing"),
        ('{ message: "Hello", recipient: 45, message_type: "marketing" }', "is not assignable to type"),
    ],
)
def test_the_compiler_finds_the_mistakes_of_a_message(tmp_path: Path, message: str, finding: str) -> None:
    code = (
        f'import type {{ QueueMessage }} from "./events/types/message";\nexport const it: QueueMessage = {message};\n'
    )
    found = compiled(tmp_path, "message.mts", code)
    assert finding in found
    assert bool(found) == bool(finding)


@needs_compiler
def test_the_record_type_tells_the_compiler_which_record_it_is(tmp_path: Path) -> None:
    code = """
import type { TableRecord } from "./events/types/record";
export function described(record: TableRecord): string | undefined {
  switch (record.record_type) {
    case "message":
      return record.context;
    case "event":
      return record.body;
    case "quarantine":
      return record.reason;
    case "opt_out":
      return record.changed_at;
  }
}
"""
    assert compiled(tmp_path, "record.mts", code) == ""
