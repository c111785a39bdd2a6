"""The command that stamps and signs a sample makes a webhook that our own rules accept, now."""

import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatewayapi import webhook_body
from gatewayapi.record import EventRecord
from gatewayapi.signature import verify
from tests.layer.webhook_bodies import EXPIRES
from tools import sample

KEY = "key-for-tests"
URL = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/v1/webhooks"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert sample.main(arguments) == 0
    return capsys.readouterr().out


def received(raw: bytes, signature: str) -> EventRecord:
    verify(raw, signature, [KEY])
    now = datetime.now(UTC)
    record = webhook_body.read(raw, signature, received_at=now, expires_at=EXPIRES)
    webhook_body.check_age(record, timedelta(minutes=5))
    return record


@pytest.mark.parametrize("name", sample.names())
def test_a_stamped_sample_is_accepted_now(capsys: pytest.CaptureFixture[str], name: str) -> None:
    before = datetime.now(UTC)
    request = json.loads(printed(capsys, name, "--key", KEY))
    signature = request["headers"]["Signature"]
    assert request["multiValueHeaders"]["Signature"] == [signature]
    record = received(request["body"].encode(), signature)
    assert record.timestamp >= before
    assert record.status_at is None or record.status_at == record.timestamp


def test_only_the_id_the_times_and_the_signature_are_new(capsys: pytest.CaptureFixture[str]) -> None:
    old = json.loads((sample.SAMPLES / "text-sms.json").read_text())
    new = json.loads(printed(capsys, "text-sms", "--key", KEY))
    was, now = json.loads(old.pop("body")), json.loads(new.pop("body"))
    assert was["event"].pop("sent_at") != now["event"].pop("sent_at")
    for name in ("event_id", "timestamp"):
        assert was.pop(name) != now.pop(name)
    assert was == now
    for headers in ("headers", "multiValueHeaders"):
        assert old[headers].pop("Signature") != new[headers].pop("Signature")
    assert old == new


def test_each_run_makes_another_event(capsys: pytest.CaptureFixture[str]) -> None:
    ids = {json.loads(json.loads(printed(capsys, "status-sms", "--key", KEY))["body"])["event_id"] for _ in range(3)}
    assert len(ids) == 3


def test_the_key_may_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", KEY)
    request = json.loads(printed(capsys, "status-sms"))
    received(request["body"].encode(), request["headers"]["Signature"])


@pytest.mark.parametrize("name", ["text-sms", "status-rcs"])
def test_the_curl_command_posts_the_same_through_a_shell(capsys: pytest.CaptureFixture[str], name: str) -> None:
    command = printed(capsys, name, "--key", KEY, "--curl", URL)
    # A shell takes it apart, with a program in curl's place that prints what it is given.
    shown = f"{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"
    script = command.replace("curl", shown, 1)
    arguments = json.loads(
        subprocess.run(["/bin/sh"], input=script, capture_output=True, check=True, text=True).stdout
    )
    assert arguments == shlex.split(command)[1:]
    given: dict[str, Any] = dict(header.split(": ", 1) for header in arguments if ": " in header and header[0] != "{")
    body = arguments[arguments.index("--data-binary") + 1]
    assert given["Content-Type"] == "application/json"
    assert received(body.encode(), given["Signature"]).event_type == json.loads(body)["event_type"]
    assert arguments[-1] == URL


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status-sms"], "WEBHOOK_KEY"),
        (["status-sms", "--key", ""], "WEBHOOK_KEY"),
        (["no-such-sample", "--key", KEY], "status-sms"),
        ([], "name"),
    ],
)
def test_what_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.delenv("WEBHOOK_KEY", raising=False)
    with pytest.raises(SystemExit) as caught:
        sample.main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
