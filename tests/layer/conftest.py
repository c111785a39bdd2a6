"""Fixtures of the tests with real connections."""

from collections.abc import Iterator

import pytest

from gatewayapi import aws, tls


@pytest.fixture
def new_connections() -> Iterator[None]:
    """Clear what a process creates once: AWS clients, their connections, and the TLS context."""
    cached = (aws.client, aws.session, aws.connections, tls.context)
    for function in cached:
        function.cache_clear()
    yield
    for scheme in ("http", "https"):
        aws.connections(scheme).clear()
    for function in cached:
        function.cache_clear()
