"""The folders and the environment of the measured functions, as on Lambda.

A function's search path has Lambda's order: the function's code, the layer, and then the packages of the runtime such
as boto3. Code and layer are built by their Makefile. All dependencies have byte code, even those of the usual
functions, which `sam build` would not give them.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.services import Services
from tests.conftest import ENVIRONMENT

PROJECT = Path(__file__).parents[1]
HERE = Path(__file__).parent
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"

RUNTIME_PACKAGES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)
USUAL_PACKAGES = (
    "annotated-types",
    "aws-lambda-powertools",
    "certifi",
    "charset-normalizer",
    "idna",
    "jmespath",
    "pydantic",
    "pydantic-core",
    "requests",
    "typing-extensions",
    "typing-inspection",
    "urllib3",
)
PRODUCT = ("sender", "webhook")
USUAL = ("usual_sender", "usual_webhook")
MINIMAL = ("minimal_cold_start", "minimal_sender", "minimal_webhook")

SETTINGS = {
    # The template's variables, as the tests set them.
    **{name: value for name, value in ENVIRONMENT.items() if not name.startswith("AWS_")},
    "IDEMPOTENCY_TABLE": "gatewayapi-benchmark-idempotency",
    # Lambda's variables.
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's disk is read-only
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_EXECUTION_ENV": f"AWS_Lambda_python{VERSION}",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "ASIABENCHMARKBENCHMA",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_SESSION_TOKEN": "benchmark" * 60,  # as long as Lambda's
}


@dataclass(frozen=True, slots=True)
class Function:
    """One measured function: the name of its module, and the folders of its search path."""

    name: str
    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The functions by name, and the folder of the layer's packages."""

    functions: dict[str, Function]
    layer: Path

    def size_mb(self) -> float:
        """Return the size of the layer's files in megabytes."""
        return sum(path.stat().st_size for path in self.layer.rglob("*") if path.is_file()) / 1e6

    def without_byte_code(self, function: Function, folder: Path) -> Function:
        """Return a function whose layer is a copy in `folder` without byte code."""
        shutil.copytree(self.layer, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return Function(function.name, tuple(folder if path == self.layer else path for path in function.folders))


def lay_out(root: Path) -> Layout:
    """Create the folders under `root`."""
    runtime, usual = _linked(root / "runtime", RUNTIME_PACKAGES), _linked(root / "usual", USUAL_PACKAGES)
    layer_source, functions_source = PROJECT / "layers/gatewayapi", PROJECT / "functions"
    build("GatewayApiLayer", layer_source, root / "layer", makefile=layer_source / "Makefile")
    layer = root / "layer/python"
    for folder in (runtime, usual):  # an installer may have written no byte code
        _run(sys.executable, "-m", "compileall", "-q", str(folder))
    functions = {}
    for name in PRODUCT:
        task = root / "tasks" / name
        build(f"{name.title()}Function", functions_source / name, task, makefile=functions_source / "Makefile")
        functions[name] = Function(name, (task, layer, runtime))
    for name in (*USUAL, *MINIMAL):
        task = root / "tasks" / name
        task.mkdir()
        shutil.copy(HERE / f"{name}.py", task)
        functions[name] = Function(name, (task, usual, runtime) if name in USUAL else (task, runtime))
    return Layout(functions, layer)


def build(resource: str, source: Path, artifacts: Path, *, makefile: Path) -> None:
    """Build a resource of the template as `sam build` does, with byte code for this Python."""
    _run(
        "make",
        "--silent",
        f"--directory={source}",
        f"--makefile={makefile}",
        f"build-{resource}",
        f"ARTIFACTS_DIR={artifacts}",
        f"PYTHON={sys.executable}",
        f"PYTHON_RUNTIME=python{VERSION}",
    )


def environment(function: Function, services: Services) -> dict[str, str]:
    """Return the complete environment of a function: Lambda's, the template's, and the services' URLs."""
    return SETTINGS | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, function.folders)),
        "LAMBDA_TASK_ROOT": str(function.folders[0]),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "POWERTOOLS_SERVICE_NAME": function.name,
        **services.variables(),
    }


def python(*arguments: str) -> list[str]:
    """Return the command of a Python that finds its standard library and PYTHONPATH, and no installed packages."""
    return [sys.executable, "-S", *arguments]


def _linked(folder: Path, distributions: Iterable[str]) -> Path:
    folder.mkdir(parents=True)
    for name in distributions:
        distribution = importlib.metadata.distribution(name)
        for top in {Path(file).parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            place = Path(str(distribution.locate_file(top)))
            if place.exists() and place.suffix != ".dist-info":
                (folder / top).symlink_to(place)
    return folder


def _run(*arguments: str) -> None:
    subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
