"""A secret of Secrets Manager, kept in memory and read again when it seems to have changed.

A rotation then needs no deploy and no restart: whoever finds the value refused asks for it again.
Source: staging labels AWSCURRENT and AWSPREVIOUS in the Secrets Manager user guide.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi import aws
from gatewayapi.errors import SecretError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"


class Secret:
    """One secret by its ARN. `refresh_s` is the least time between two readings that a mismatch may cause."""

    def __init__(
        self,
        arn: str,
        *,
        refresh_s: float = 60,
        client: Callable[[], SecretsManagerClient] = lambda: aws.client("secretsmanager"),
    ) -> None:
        self._arn = arn
        self._refresh_s = refresh_s
        self._client = client
        self._current: str | None = None
        self._previous: str | None = None
        self._reread_at = float("-inf")

    def current(self) -> str:
        """Return the current value, read on the first call only. Raises SecretError."""
        if self._current is None:
            self._current = self._read(CURRENT)
        return self._current

    def renew(self) -> str:
        """Return the current value, read again now. Raises SecretError."""
        self._current = self._read(CURRENT)
        return self._current

    def previous(self) -> str | None:
        """Return the value before the current one as the last `reread` found it, None where there is none."""
        return self._previous

    def reread(self) -> bool:
        """Read the current and the previous value again, and return whether it was time to.

        At most once in `refresh_s`: a flood of bad signatures must cost no flood of calls. Raises SecretError.
        """
        started = time.monotonic()
        if started - self._reread_at < self._refresh_s:
            return False
        self._reread_at = started
        self.renew()
        self._previous = None  # or what the next line cannot read would leave the one before it valid
        try:
            self._previous = self._read(PREVIOUS)
        except SecretError as error:
            if not isinstance(error.__cause__, self._client().exceptions.ResourceNotFoundException):
                raise  # or else it was never rotated
        return True

    def _read(self, stage: str) -> str:
        try:
            answer = self._client().get_secret_value(SecretId=self._arn, VersionStage=stage)
        except (ClientError, BotoCoreError) as error:
            raise SecretError(f"{stage} could not be read: {type(error).__name__}") from error
        value = answer.get("SecretString", "")
        if not value:
            raise SecretError(f"{stage} is empty")
        return value
