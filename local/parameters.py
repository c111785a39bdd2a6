"""The template's parameters, as the command line of `make local` sets them."""

import argparse
from functools import cache

import yaml

from local.sam import PROJECT


def assignment(text: str) -> tuple[str, str]:
    """Return a parameter's name and value from `Name=Value`, for argparse."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=VALUE")
    if name not in names():
        raise argparse.ArgumentTypeError(
            f"template.yaml has no parameter {name!r}. It has {', '.join(sorted(names()))}."
        )
    return name, value


@cache
def names() -> frozenset[str]:
    """Return the names of the template's parameters."""
    # Nodes, not values: these need no meaning for CloudFormation's own tags.
    template = yaml.compose((PROJECT / "template.yaml").read_text(encoding="utf-8"), yaml.SafeLoader)
    if template is None:
        return frozenset()
    (parameters,) = (value for key, value in template.value if key.value == "Parameters")
    return frozenset(key.value for key, _ in parameters.value)
