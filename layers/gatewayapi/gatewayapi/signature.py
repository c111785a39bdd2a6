"""Sign a webhook body, and verify its signature.

The scheme is the provider's: `Signature: v1=<hex>`, HMAC-SHA-256 over the raw bytes of the body. Both functions take
bytes and not parsed JSON, because serialising the JSON again can change the bytes and so the signature.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from gatewayapi.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Iterable

# All 256 bits: a truncated signature is refused by its form, before a key is used.
_FORM = re.compile(r"v1=([0-9a-fA-F]{64})", re.ASCII)


def sign(body: bytes, key: str | bytes) -> str:
    """Return the `Signature` header for a body.

    Raises SignatureError for an empty key, because anyone could sign with it.
    """
    raw = key.encode() if isinstance(key, str) else key
    if not raw:
        raise SignatureError("no key")
    return "v1=" + hmac.digest(raw, body, "sha256").hex()


def verify(body: bytes, signature: str, keys: Iterable[str | bytes]) -> None:
    """Return if one of the keys signed the body, else raise SignatureError.

    It does not return a boolean, so a forgotten `if` cannot accept a forged body. Empty keys are ignored. Without a
    key, every signature is refused.

    Arguments:
        body: the raw bytes as received.
        signature: the header's value; hostile input of any form.
        keys: the keys to try. All are tried in constant time, so the response time reveals nothing about a key.

    """
    claimed = parse_signature(signature)
    if isinstance(keys, str | bytes):
        # A single key would be iterated over as keys of one character.
        raise TypeError("keys is a collection of keys, not one key")
    matched = False
    for key in keys:
        raw = key.encode() if isinstance(key, str) else key
        matched |= bool(raw) and hmac.compare_digest(hmac.digest(raw, body, "sha256"), claimed)
    if not matched:
        raise SignatureError("the signature does not verify")


def parse_signature(signature: object) -> bytes:
    """Return the 32 bytes of a signature header, or raise SignatureError.

    A caller can use it to refuse a malformed header before it reads a key.
    """
    form = _FORM.fullmatch(signature) if isinstance(signature, str) else None
    if form is None:
        raise SignatureError("the signature is missing or malformed")
    return bytes.fromhex(form[1])
