"""Bytes that know whether they are whole: what is written to a cache, behind its SHA-256.

A cache may be deleted, truncated or scribbled on; then it is worthless, and must never be wrong. The digest
is looked at before anything else reads the content.
"""

import hashlib

DIGEST_BYTES = hashlib.sha256().digest_size


def with_digest(content: bytes) -> bytes:
    """Return content behind its digest."""
    return hashlib.sha256(content).digest() + content


def without_digest(stored: bytes) -> bytes | None:
    """Return the content of what `with_digest` made, None when it is not whole."""
    content = stored[DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == stored[:DIGEST_BYTES] else None
