"""Sign a body, and verify that somebody with our key did.

The scheme is the provider's: `Signature: v1=<hex>`, HMAC-SHA-256 over the raw bytes of the body. Both directions
take bytes and never parsed JSON, because a re-serialised body has another signature.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from gatewayapi.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Iterable

# All 256 bits or nothing: a truncated tag is refused by its form, before any key is touched.
_FORM = re.compile(r"v1=([0-9a-fA-F]{64})", re.ASCII)


def sign(body: bytes, key: str | bytes) -> str:
    """Return the `Signature` header for a body.

    Raises SignatureError for an empty key: everybody has that one.
    """
    raw = key.encode() if isinstance(key, str) else key
    if not raw:
        raise SignatureError("no key")
    return "v1=" + hmac.digest(raw, body, "sha256").hex()


def verify(body: bytes, signature: str, keys: Iterable[str | bytes]) -> None:
    """Return when one of the keys signed the body, else raise SignatureError.

    It never returns a truth value, so that a forgotten `if` cannot let anyone in. Every key is tried whatever
    the earlier ones said, and compared in constant time, so that the answer's time tells nothing about a key.
    `signature` is hostile input and may be anything; empty keys are passed over, and no key means no entry.
    """
    claimed = well_formed(signature)
    if isinstance(keys, str | bytes):
        # It would be taken apart into one-character keys.
        raise TypeError("keys is a collection of keys, not one key")
    matched = False
    for key in keys:
        raw = key.encode() if isinstance(key, str) else key
        matched |= bool(raw) and hmac.compare_digest(hmac.digest(raw, body, "sha256"), claimed)
    if not matched:
        raise SignatureError("the signature does not verify")


def well_formed(signature: object) -> bytes:
    """Return the 32 bytes that a signature header claims, or raise SignatureError.

    It is apart from `verify` so that a caller can turn rubbish away before it reads any key.
    """
    form = _FORM.fullmatch(signature) if isinstance(signature, str) else None
    if form is None:
        raise SignatureError("the signature is missing or malformed")
    return bytes.fromhex(form[1])
