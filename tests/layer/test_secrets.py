"""A secret is read when it is needed, kept, and read again where that may help, but never in a flood."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.session import get_session
from botocore.stub import Stubber

from gatewayapi import aws, secrets
from gatewayapi.errors import SecretError
from gatewayapi.secrets import CURRENT, PREVIOUS, Secret

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf"


class Vault:
    """Secrets Manager as far as one secret needs it: a botocore client whose answers are ordered beforehand."""

    def __init__(self) -> None:
        self.client: Any = get_session().create_client("secretsmanager")
        self.stubber = Stubber(self.client)
        self.asked: Counter[str] = Counter()
        self.client.meta.events.register("provide-client-params.secrets-manager.GetSecretValue", self._count)

    def has(self, stage: str, value: str | None) -> None:
        answer: dict[str, Any] = {"ARN": ARN, "Name": "key"} | ({} if value is None else {"SecretString": value})
        self.stubber.add_response("get_secret_value", answer, {"SecretId": ARN, "VersionStage": stage})

    def refuses(self, stage: str, code: str) -> None:
        expected = {"SecretId": ARN, "VersionStage": stage}
        self.stubber.add_client_error("get_secret_value", code, "on order", 400, expected_params=expected)

    def _count(self, params: dict[str, Any], **_: object) -> None:
        self.asked[params["VersionStage"]] += 1


class WallClock:
    """The time, which only a test changes. A monotonic clock stands still while Lambda freezes the process."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def time(self) -> float:
        return self.now_s


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault()
    with made.stubber:
        yield made
        made.stubber.assert_no_pending_responses()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    made = WallClock()
    monkeypatch.setattr(secrets, "time", made)
    return made


@pytest.fixture
def secret(vault: Vault) -> Secret:
    return Secret(ARN, client=lambda: vault.client)


def test_a_key_two_rotations_old_is_none_although_the_one_between_cannot_be_read(
    vault: Vault, secret: Secret, clock: WallClock
) -> None:
    vault.has(CURRENT, "key-2")
    vault.has(PREVIOUS, "key-1")
    assert secret.refresh()
    clock.now_s += 60
    vault.has(CURRENT, "key-3")
    vault.refuses(PREVIOUS, "ThrottlingException")
    with pytest.raises(SecretError):
        secret.refresh()
    assert (secret.current(), secret.previous()) == ("key-3", None)


def test_nothing_is_read_before_it_is_needed(vault: Vault, secret: Secret) -> None:
    assert secret.previous() is None
    assert not vault.asked


def test_the_current_value_is_read_once(vault: Vault, secret: Secret) -> None:
    vault.has(CURRENT, "key-1")
    assert [secret.current(), secret.current()] == ["key-1", "key-1"]
    assert vault.asked == {CURRENT: 1}


def test_a_renewed_value_is_the_current_one(vault: Vault, secret: Secret) -> None:
    vault.has(CURRENT, "key-1")
    vault.has(CURRENT, "key-2")
    assert (secret.current(), secret.refresh_current(), secret.current()) == ("key-1", "key-2", "key-2")


def test_a_refresh_reads_both_values_after_a_rotation(vault: Vault, secret: Secret) -> None:
    vault.has(CURRENT, "key-1")
    assert secret.current() == "key-1"
    vault.has(CURRENT, "key-2")
    vault.has(PREVIOUS, "key-1")
    assert secret.refresh()
    assert (secret.current(), secret.previous()) == ("key-2", "key-1")


def test_a_secret_that_was_never_rotated_has_no_previous_value(vault: Vault, secret: Secret) -> None:
    vault.has(CURRENT, "key-1")
    vault.refuses(PREVIOUS, "ResourceNotFoundException")
    assert secret.refresh()
    assert (secret.current(), secret.previous()) == ("key-1", None)


def test_a_previous_value_that_is_gone_is_forgotten(vault: Vault, secret: Secret, clock: WallClock) -> None:
    vault.has(CURRENT, "key-2")
    vault.has(PREVIOUS, "key-1")
    assert secret.refresh()
    clock.now_s += 60
    vault.has(CURRENT, "key-2")
    vault.refuses(PREVIOUS, "ResourceNotFoundException")
    assert secret.refresh()
    assert secret.previous() is None


def test_a_flood_of_mismatches_causes_one_refresh_a_minute(vault: Vault, secret: Secret, clock: WallClock) -> None:
    for _ in range(2):
        vault.has(CURRENT, "key-2")
        vault.has(PREVIOUS, "key-1")
    assert [secret.refresh() for _ in range(100)] == [True] + [False] * 99
    clock.now_s += 59.9
    assert not secret.refresh()
    clock.now_s += 0.1
    assert secret.refresh()
    assert vault.asked == {CURRENT: 2, PREVIOUS: 2}


def test_a_clock_that_was_set_back_does_not_stop_refreshes(vault: Vault, secret: Secret, clock: WallClock) -> None:
    for _ in range(2):
        vault.has(CURRENT, "key-2")
        vault.has(PREVIOUS, "key-1")
    assert secret.refresh()
    clock.now_s -= 3600
    assert secret.refresh()


def test_a_refresh_that_fails_counts_as_one(vault: Vault, secret: Secret) -> None:
    vault.refuses(CURRENT, "InternalServiceError")
    with pytest.raises(SecretError):
        secret.refresh()
    assert not secret.refresh()


def test_a_value_stays_if_a_refresh_fails(vault: Vault, secret: Secret) -> None:
    vault.has(CURRENT, "key-1")
    assert secret.current() == "key-1"
    vault.refuses(CURRENT, "AccessDeniedException")
    with pytest.raises(SecretError):
        secret.refresh_current()
    assert secret.current() == "key-1"


def test_a_previous_value_that_cannot_be_read_is_an_error_and_none_that_is_missing(
    vault: Vault, secret: Secret
) -> None:
    vault.has(CURRENT, "key-1")
    vault.refuses(PREVIOUS, "ThrottlingException")
    with pytest.raises(SecretError, match="AWSPREVIOUS could not be read"):
        secret.refresh()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "InternalServiceError"])
def test_a_secret_that_cannot_be_read_is_a_secret_error_and_tried_again(
    vault: Vault, secret: Secret, code: str
) -> None:
    vault.refuses(CURRENT, code)
    with pytest.raises(SecretError, match="AWSCURRENT could not be read"):
        secret.current()
    vault.has(CURRENT, "key-1")
    assert secret.current() == "key-1"


def test_a_service_that_cannot_be_reached_is_a_secret_error(vault: Vault, secret: Secret) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://secretsmanager.invalid")

    vault.client.meta.events.register("provide-client-params.secrets-manager.GetSecretValue", unreachable)
    with pytest.raises(SecretError, match="EndpointConnectionError"):
        secret.current()


def test_a_secret_without_text_is_a_secret_error(vault: Vault, secret: Secret) -> None:
    vault.has(CURRENT, None)
    with pytest.raises(SecretError, match="AWSCURRENT is empty"):
        secret.current()


def test_no_error_tells_a_value(vault: Vault, secret: Secret) -> None:
    vault.has(CURRENT, "key-1")
    vault.refuses(PREVIOUS, "InternalServiceError")
    with pytest.raises(SecretError) as caught:
        secret.refresh()
    assert "key-1" not in str(caught.value)


def test_the_client_is_made_when_a_secret_is_first_read(monkeypatch: pytest.MonkeyPatch, vault: Vault) -> None:
    made: list[str] = []

    def client(service: str) -> object:
        made.append(service)
        return vault.client

    monkeypatch.setattr(aws, "client", client)
    secret = Secret(ARN)
    assert not made
    vault.has(CURRENT, "key-1")
    assert secret.current() == "key-1"
    assert made == ["secretsmanager"]
