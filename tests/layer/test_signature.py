"""Only a body that one of the keys has signed verifies. Everything else is a SignatureError."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewayapi.errors import SignatureError
from gatewayapi.signature import parse_signature, sign, verify

KEY = "0123456789abcdef0123456789abcdef"
BODY = '{"event_id": "1", "text": "blåbærgrød 🍓"}'.encode()
# The Wycheproof vectors, which are not part of the project: the test is skipped if this file does not exist.
VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "hmac_sha256_test.json"

# RFC 4231, section 4: key, data, HMAC-SHA-256. Its case 5, a truncated tag, has a test of its own.
RFC_4231 = {
    "1": (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    "2": (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    "3": (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    "4": (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    "6": (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    "7": (
        b"\xaa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data. "
            b"The key needs to be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
}

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(),
    st.text(),
    st.lists(st.text()),
    st.from_regex(r"v\d=[0-9a-fA-F]{60,70}"),
    st.text("0123456789abcdefABCDEF", min_size=62, max_size=66).map("v1=".__add__),
)


@pytest.mark.parametrize("case", RFC_4231)
def test_signatures_agree_with_rfc_4231(case: str) -> None:
    key, data, tag = RFC_4231[case]
    assert sign(data, key) == f"v1={tag}"
    verify(data, f"v1={tag}", [key])


@pytest.mark.skipif(not VECTORS.is_file(), reason="the file of published vectors does not exist")
def test_signatures_agree_with_published_vectors() -> None:
    for group in json.loads(VECTORS.read_text())["testGroups"]:
        for vector in group["tests"]:
            key, data, claimed = bytes.fromhex(vector["key"]), bytes.fromhex(vector["msg"]), f"v1={vector['tag']}"
            # The other vectors have a wrong tag, or a valid one that is truncated.
            if group["tagSize"] == 256 and vector["result"] == "valid":
                assert sign(data, key) == claimed
                verify(data, claimed, [key])
            else:
                with pytest.raises(SignatureError):
                    verify(data, claimed, [key])


@given(body=st.binary(), key=st.one_of(st.text(min_size=1), st.binary(min_size=1)))
def test_a_signature_verifies_with_the_same_key(body: bytes, key: str | bytes) -> None:
    verify(body, sign(body, key), [key])


def test_a_text_key_is_encoded_as_utf_8() -> None:
    assert sign(BODY, "nøgle") == sign(BODY, "nøgle".encode())


@given(body=st.binary(min_size=1), position=st.integers(0), flip=st.integers(1, 255))
def test_a_changed_byte_does_not_verify(body: bytes, position: int, flip: int) -> None:
    index = position % len(body)
    tampered = body[:index] + bytes([body[index] ^ flip]) + body[index + 1 :]
    with pytest.raises(SignatureError):
        verify(tampered, sign(body, KEY), [KEY])


@pytest.mark.parametrize("bit", range(0, 256, 15))
def test_a_tag_with_one_wrong_bit_does_not_verify(bit: int) -> None:
    tag = int(sign(BODY, KEY)[3:], 16) ^ (1 << bit)
    with pytest.raises(SignatureError):
        verify(BODY, f"v1={tag:064x}", [KEY])


def test_reserialised_json_does_not_verify() -> None:
    rewritten = json.dumps(json.loads(BODY)).encode()
    with pytest.raises(SignatureError):
        verify(rewritten, sign(BODY, KEY), [KEY])


def test_hexadecimal_digits_can_be_upper_case() -> None:
    verify(BODY, "v1=" + sign(BODY, KEY)[3:].upper(), [KEY])


@pytest.mark.parametrize("length", [0, 1, 31, 32, 62, 63, 65, 128])
def test_a_tag_of_another_length_is_malformed(length: int) -> None:
    tag = (sign(BODY, KEY)[3:] * 2)[:length]
    with pytest.raises(SignatureError, match="malformed"):
        verify(BODY, f"v1={tag}", [KEY])


def test_the_truncated_tag_of_rfc_4231_is_malformed() -> None:
    with pytest.raises(SignatureError, match="malformed"):
        verify(b"Test With Truncation", "v1=a3b6167473100ee06e0c796c2955552b", [b"\x0c" * 20])


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "v0={}",
        "v2={}",
        "V1={}",
        "v1:{}",
        "v1= {}",
        " v1={}",
        "v1={} ",
        "v1={}\n",
        "v1={0}, v1={0}",
        "sha256={}",
    ],
)
def test_a_right_tag_in_another_form_is_malformed(form: str) -> None:
    with pytest.raises(SignatureError, match="malformed"):
        verify(BODY, form.format(sign(BODY, KEY)[3:]), [KEY])


@pytest.mark.parametrize("digit", ["g", "é", "\0", "\u0661"])
def test_a_tag_with_another_character_than_hexadecimal_digits_is_malformed(digit: str) -> None:
    with pytest.raises(SignatureError, match="malformed"):
        parse_signature("v1=" + "0" * 63 + digit)


@given(body=st.binary(max_size=8), signature=anything)
@example(body=b"", signature="v1=" + "\ud800" * 64)
@example(body=b"", signature="v1=" + "0" * 1_000_000)
def test_every_invalid_signature_of_any_type_is_a_signature_error(body: bytes, signature: object) -> None:
    with pytest.raises(SignatureError):
        verify(body, cast("str", signature), [KEY])


def test_a_well_formed_signature_gives_the_bytes_it_claims() -> None:
    assert parse_signature(sign(BODY, KEY)) == hmac.new(KEY.encode(), BODY, hashlib.sha256).digest()


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_one_of_several_keys_verifies(position: int) -> None:
    keys: list[str | bytes] = ["first", b"second", "third"]
    verify(BODY, sign(BODY, keys[position]), iter(keys))


@pytest.mark.parametrize("key", ["\0", " ", KEY + " ", KEY.upper(), KEY[:-1], "third"])
def test_another_key_does_not_verify(key: str) -> None:
    with pytest.raises(SignatureError):
        verify(BODY, sign(BODY, key), [KEY, b"second", ""])


def test_nothing_verifies_without_keys() -> None:
    with pytest.raises(SignatureError):
        verify(BODY, sign(BODY, KEY), [])


@pytest.mark.parametrize("empty", ["", b""])
def test_an_empty_key_neither_signs_nor_verifies(empty: str | bytes) -> None:
    with pytest.raises(SignatureError, match="no key"):
        sign(BODY, empty)
    forged = "v1=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    with pytest.raises(SignatureError):
        verify(BODY, forged, [empty])
    with pytest.raises(SignatureError):
        verify(BODY, forged, [empty, KEY])


def test_an_empty_key_is_ignored() -> None:
    verify(BODY, sign(BODY, KEY), ["", KEY])


@pytest.mark.parametrize("keys", [KEY, KEY.encode()])
def test_one_key_instead_of_a_collection_is_a_type_error(keys: str | bytes) -> None:
    with pytest.raises(TypeError, match="collection"):
        verify(BODY, sign(BODY, KEY), cast("list[str]", keys))


def test_all_keys_are_tried_even_if_the_first_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []

    def recorded(first: bytes, second: bytes) -> bool:
        tried.append(first)
        return first == second

    monkeypatch.setattr(hmac, "compare_digest", recorded)
    verify(BODY, sign(BODY, "first"), ["first", "second"])
    assert tried == [bytes.fromhex(sign(BODY, key)[3:]) for key in ("first", "second")]
