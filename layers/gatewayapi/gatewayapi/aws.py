"""The AWS clients of this process: one session for all, each made when it is first asked for.

A second session would read the same models again (docs/performance.md has the figures). botocore is used directly,
since boto3 adds resources that nothing here uses to a cold start.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

# Two short attempts inside botocore, for a lost connection; whatever lasts longer is the queue's to try again.
# A transaction carries a token of its own, so that the second attempt cannot write twice.
CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    # Checked in every test instead, where the clients are made with it on.
    parameter_validation=False,
    tcp_keepalive=True,
)


@cache
def session() -> Session:
    """Return the session that all clients share."""
    return get_session()


@cache
def client(service: str) -> Any:  # noqa: ANN401 - botocore makes the class at run time
    """Return the client of a service, made once."""
    return session().create_client(service, config=CONFIG)
