"""A secret in Secrets Manager, kept in memory and read again when it may have been rotated.

A rotation needs no deployment and no restart: if the value is refused, the caller reads it again.
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
# The minimum time between two refreshes. It is wall-clock time, because a monotonic clock stops while Lambda freezes
# the process.
REFRESH_INTERVAL_S = 60


class Secret:
    """One secret by its ARN."""

    def __init__(
        self,
        arn: str,
        *,
        client: Callable[[], SecretsManagerClient] = lambda: aws.client("secretsmanager"),
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._arn = arn
        self._client = client
        self._now_s = now_s
        self._current: str | None = None
        self._previous: str | None = None
        self._refreshed_at_s: float | None = None

    def current(self) -> str:
        """Return the current value. Only the first call reads it from Secrets Manager. Raises SecretError."""
        if self._current is None:
            self._current = self._read(CURRENT)
        return self._current

    def previous(self) -> str | None:
        """Return the value before the current one, as the last `refresh` read it, or None if there is none."""
        return self._previous

    def refresh_current(self) -> str:
        """Read the current value again, and return it. Raises SecretError."""
        self._current = self._read(CURRENT)
        return self._current

    def refresh(self) -> bool:
        """Read the current and the previous value again. Returns False if the last refresh was too recent.

        The webhook function calls this for a bad signature. The limit keeps many bad signatures from causing many
        calls to Secrets Manager. Raises SecretError.
        """
        now_s = self._now_s()
        # A last refresh in the future is ignored: a clock that was set back must not stop refreshes.
        if self._refreshed_at_s is not None and 0 <= now_s - self._refreshed_at_s < REFRESH_INTERVAL_S:
            return False
        self._refreshed_at_s = now_s
        self.refresh_current()
        self._previous = None  # if the next call fails, an older value must not stay valid
        try:
            self._previous = self._read(PREVIOUS)
        except SecretError as error:
            # A secret that was never rotated has no previous value.
            if not isinstance(error.__cause__, self._client().exceptions.ResourceNotFoundException):
                raise
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
