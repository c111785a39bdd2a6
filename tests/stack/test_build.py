"""The build that `sam build` runs: where its targets are, and which byte code it adds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack.template import PROJECT, RESOURCES

THIS_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
MAKEFILES = [PROJECT / "functions/Makefile", PROJECT / "layers/gatewayapi/Makefile"]
BUILT = [name for name, it in RESOURCES.items() if it.get("Metadata", {}).get("BuildMethod") == "makefile"]


@pytest.mark.parametrize("resource", BUILT)
def test_each_built_resource_has_a_target_in_the_makefile_that_sam_reads(resource: str) -> None:
    of = RESOURCES[resource]
    source = of["Properties"].get("CodeUri") or of["Properties"]["Content"]
    makefile = PROJECT / of["Metadata"].get("ContextPath", source) / "Makefile"
    assert re.search(rf"^build-.*\b{resource}\b.*:", makefile.read_text(), re.MULTILINE)


def test_both_makefiles_add_byte_code_in_the_same_way() -> None:
    # Neither can include the other, because a build container has only the folders of one resource.
    functions, layer = (
        re.search(r"^ifeq.*?^endef$", makefile.read_text(), re.MULTILINE | re.DOTALL) for makefile in MAKEFILES
    )
    assert functions
    assert layer
    assert functions[0] == layer[0].replace("../..", "..")


def build(artifacts: Path, *variables: str) -> str:
    """Build the sender as sam does, and return the output of make."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
    made = subprocess.run(
        # sam finds make on the PATH too.
        ["make", f"--makefile={PROJECT / 'functions/Makefile'}", "build-SenderFunction", *variables],  # noqa: S607
        cwd=PROJECT / "functions/sender",
        env=environment | {"ARTIFACTS_DIR": str(artifacts)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not made.stderr
    return made.stdout


def byte_code(artifacts: Path) -> set[str]:
    """Return the names of the modules that have byte code."""
    return {path.name.partition(".")[0] for path in artifacts.rglob("*.pyc")}


MODULES = {path.stem for path in (PROJECT / "functions/sender").glob("*.py")}


def test_the_runtimes_python_adds_byte_code_with_the_paths_of_lambda(tmp_path: Path) -> None:
    output = build(tmp_path, f"PYTHON={sys.executable}", f"PYTHON_RUNTIME={THIS_PYTHON}")
    assert "WARNING" not in output
    assert byte_code(tmp_path) == MODULES
    assert b"/var/task/sender.py" in next(tmp_path.rglob("sender.*.pyc")).read_bytes()


def test_without_the_runtimes_python_the_build_warns_and_has_no_byte_code(tmp_path: Path) -> None:
    output = build(tmp_path, f"PYTHON={sys.executable}", "PYTHON_RUNTIME=python3.99")
    assert "WARNING: python3.99 was not found" in output
    assert byte_code(tmp_path) == set()
    assert (tmp_path / "sender.py").is_file()


def test_in_a_build_container_the_python_of_its_runtime_is_used_without_a_warning(tmp_path: Path) -> None:
    # Variables of the host do not reach the container, so PYTHON_RUNTIME has its default there.
    output = build(tmp_path, f"LAMBDA_PYTHON={sys.executable}", "PYTHON_RUNTIME=python3.99")
    assert "WARNING" not in output
    assert byte_code(tmp_path) == MODULES


def test_equal_sources_give_equal_artifacts(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        build(tmp_path / name, f"PYTHON={sys.executable}", f"PYTHON_RUNTIME={THIS_PYTHON}")
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        contents.append({path.name: (path.read_bytes(), path.stat().st_mtime, path.stat().st_mode) for path in files})
    assert contents[0] == contents[1]
