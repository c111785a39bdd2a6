"""A secret is read when it is first needed. It is read again on request, by `refresh` at most once a minute."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from gatewayapi import aws
from gatewayapi.errors import SecretError
from gatewayapi.secrets import CURRENT, PREVIOUS, Secret
from tests.aws_calls import Calls

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf"


class SecretsManager:
    """A Secrets Manager client with prepared responses for one secret."""

    def __init__(self, client: Any, calls: Calls) -> None:  # noqa: ANN401 - botocore's client
        self.client = client
        self.stubber = Stubber(client)
        self._calls = calls

    def reads(self) -> Counter[str]:
        """Return how often the value of each stage was read."""
        return Counter(call["VersionStage"] for call in self._calls.parameters("GetSecretValue"))

    def responds(self, *, current: str | None = None, previous: str | None = None) -> None:
        """Respond to the next reads with these values. If both are given, the current value is read first."""
        for stage, value in ((CURRENT, current), (PREVIOUS, previous)):
            if value is not None:
                self.responds_with(stage, {"SecretString": value})

    def responds_with(self, stage: str, fields: dict[str, Any]) -> None:
        response = {"ARN": ARN, "Name": "key", **fields}
        self.stubber.add_response("get_secret_value", response, {"SecretId": ARN, "VersionStage": stage})

    def refuses(self, stage: str, code: str) -> None:
        expected = {"SecretId": ARN, "VersionStage": stage}
        self.stubber.add_client_error("get_secret_value", code, "ordered by the test", 400, expected_params=expected)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def time(self) -> float:
        return self.now_s


@pytest.fixture
def manager(clients: dict[str, Any]) -> Iterator[SecretsManager]:
    client = clients["secretsmanager"]
    with Calls([client]) as calls:
        manager = SecretsManager(client, calls)
        with manager.stubber:
            yield manager
            manager.stubber.assert_no_pending_responses()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secret(manager: SecretsManager, clock: Clock) -> Secret:
    """A secret that was not read yet."""
    return Secret(ARN, client=lambda: manager.client, now_s=clock.time)


@pytest.fixture
def refreshed(manager: SecretsManager, clock: Clock, secret: Secret) -> Secret:
    """A secret with the current value "key-2" and the previous "key-1", a minute after it was refreshed."""
    manager.responds(current="key-2", previous="key-1")
    assert secret.refresh()
    clock.now_s += 60
    return secret


def test_nothing_is_read_before_a_value_is_needed(manager: SecretsManager, secret: Secret) -> None:
    assert secret.previous() is None
    assert not manager.reads()


def test_the_current_value_is_read_once(manager: SecretsManager, secret: Secret) -> None:
    manager.responds(current="key-1")
    assert [secret.current(), secret.current()] == ["key-1", "key-1"]
    assert manager.reads() == {CURRENT: 1}


def test_a_refreshed_value_is_the_current_one(manager: SecretsManager, secret: Secret) -> None:
    manager.responds(current="key-1")
    manager.responds(current="key-2")
    assert (secret.current(), secret.refresh_current(), secret.current()) == ("key-1", "key-2", "key-2")


def test_a_refresh_reads_both_values_after_a_rotation(manager: SecretsManager, secret: Secret) -> None:
    manager.responds(current="key-1")
    assert secret.current() == "key-1"
    manager.responds(current="key-2", previous="key-1")
    assert secret.refresh()
    assert (secret.current(), secret.previous()) == ("key-2", "key-1")


def test_a_secret_that_was_never_rotated_has_no_previous_value(manager: SecretsManager, secret: Secret) -> None:
    manager.responds(current="key-1")
    manager.refuses(PREVIOUS, "ResourceNotFoundException")
    assert secret.refresh()
    assert (secret.current(), secret.previous()) == ("key-1", None)


def test_a_refresh_drops_a_previous_value_that_no_longer_exists(manager: SecretsManager, refreshed: Secret) -> None:
    manager.responds(current="key-2")
    manager.refuses(PREVIOUS, "ResourceNotFoundException")
    assert refreshed.refresh()
    assert refreshed.previous() is None


def test_after_a_rotation_the_old_previous_value_is_dropped_even_if_the_new_one_cannot_be_read(
    manager: SecretsManager, refreshed: Secret
) -> None:
    manager.responds(current="key-3")
    manager.refuses(PREVIOUS, "ThrottlingException")
    with pytest.raises(SecretError):
        refreshed.refresh()
    assert (refreshed.current(), refreshed.previous()) == ("key-3", None)


def test_a_secret_is_refreshed_at_most_once_a_minute(
    manager: SecretsManager, refreshed: Secret, clock: Clock
) -> None:
    clock.now_s -= 0.1
    assert not refreshed.refresh()
    clock.now_s += 0.1
    manager.responds(current="key-2", previous="key-1")
    assert [refreshed.refresh() for _ in range(100)] == [True] + [False] * 99
    assert manager.reads() == {CURRENT: 2, PREVIOUS: 2}


def test_a_clock_that_was_set_back_does_not_stop_refreshes(
    manager: SecretsManager, refreshed: Secret, clock: Clock
) -> None:
    clock.now_s -= 3600
    manager.responds(current="key-2", previous="key-1")
    assert refreshed.refresh()


def test_a_failed_refresh_counts_towards_the_limit(manager: SecretsManager, secret: Secret) -> None:
    manager.refuses(CURRENT, "InternalServiceError")
    with pytest.raises(SecretError):
        secret.refresh()
    assert not secret.refresh()


def test_a_failed_refresh_keeps_the_values(manager: SecretsManager, secret: Secret) -> None:
    manager.responds(current="key-1")
    assert secret.current() == "key-1"
    manager.refuses(CURRENT, "AccessDeniedException")
    with pytest.raises(SecretError):
        secret.refresh_current()
    assert secret.current() == "key-1"


def test_a_previous_value_that_cannot_be_read_is_an_error(manager: SecretsManager, secret: Secret) -> None:
    manager.responds(current="key-1")
    manager.refuses(PREVIOUS, "ThrottlingException")
    with pytest.raises(SecretError, match="AWSPREVIOUS could not be read"):
        secret.refresh()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "InternalServiceError"])
def test_a_secret_that_cannot_be_read_is_an_error_and_read_again(
    manager: SecretsManager, secret: Secret, code: str
) -> None:
    manager.refuses(CURRENT, code)
    with pytest.raises(SecretError, match="AWSCURRENT could not be read"):
        secret.current()
    manager.responds(current="key-1")
    assert secret.current() == "key-1"


def test_an_unreachable_service_is_an_error(
    manager: SecretsManager, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://secretsmanager.invalid")

    monkeypatch.setattr(manager.client, "get_secret_value", unreachable)
    with pytest.raises(SecretError, match="EndpointConnectionError"):
        secret.current()


def test_a_secret_without_text_is_an_error(manager: SecretsManager, secret: Secret) -> None:
    manager.responds_with(CURRENT, {})
    with pytest.raises(SecretError, match="AWSCURRENT is empty"):
        secret.current()


def test_errors_do_not_contain_the_value(manager: SecretsManager, secret: Secret) -> None:
    manager.responds(current="key-1")
    manager.refuses(PREVIOUS, "InternalServiceError")
    with pytest.raises(SecretError) as caught:
        secret.refresh()
    assert "key-1" not in str(caught.value)


def test_the_client_is_created_when_a_secret_is_first_read(
    monkeypatch: pytest.MonkeyPatch, manager: SecretsManager
) -> None:
    created: list[str] = []

    def client(service: str) -> object:
        created.append(service)
        return manager.client

    monkeypatch.setattr(aws, "client", client)
    secret = Secret(ARN)
    assert not created
    manager.responds(current="key-1")
    assert secret.current() == "key-1"
    assert created == ["secretsmanager"]
