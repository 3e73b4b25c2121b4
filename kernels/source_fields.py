"""One field of the register of sources: its text to its value, or what was expected instead.

No message repeats a hash: somebody may have put the secret itself there.
"""

import hashlib
import re
import unicodedata

from phusong.kernels.grants import ROW_KINDS, TOPIC_ROOT, batch_topic, topic_matches
from phusong.kernels.route_names import is_slug

# The one in use and the next one, while senders change over.
HASH_COUNT_MAX = 2
HASH = re.compile(r"[0-9a-fA-F]{64}|[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){31}", re.ASCII)
EMPTY_SHA256 = hashlib.sha256(b"").digest()
# As the register of SIMs writes keys.
DECIMAL = re.compile(r"[+-]?\d{1,20}", re.ASCII)
HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,16}", re.ASCII)
KEY_BITS = 64


class FieldError(ValueError):
    """What was found in a field and what was expected."""


def read_slug(text: str) -> str:
    """Return the name of an operator or a source."""
    if not is_slug(text):
        raise FieldError(f"{text!r:.80}: expected 1 to 64 characters of a-z 0-9 . _ -")
    return text


def read_hashes(text: str) -> tuple[bytes, ...]:
    """Return the SHA-256 in a field, up to HASH_COUNT_MAX; colons as openssl writes them are fine."""
    words = text.split()
    if len(words) > HASH_COUNT_MAX:
        raise FieldError(
            f"{len(words)} hashes; expected at most {HASH_COUNT_MAX}, the old and the new"
        )
    if not all(HASH.fullmatch(word) for word in words):
        raise FieldError("expected SHA-256 as 64 hexadecimal digits; never the secret itself")
    hashes = tuple(bytes.fromhex(word.replace(":", "")) for word in words)
    if len(set(hashes)) < len(hashes):
        raise FieldError("one hash twice; expected the old and the new")
    if EMPTY_SHA256 in hashes:
        raise FieldError("this is the SHA-256 of nothing; expected that of a secret")
    return hashes


def read_row_kinds(text: str) -> tuple[str, ...]:
    """Return the kinds of rows in a field."""
    words = text.split()
    for word in words:
        if word not in ROW_KINDS:
            raise FieldError(f"{word!r:.80}: expected {', '.join(ROW_KINDS)}")
    return tuple(dict.fromkeys(words))


def read_sites(text: str) -> tuple[str, ...]:
    """Return the site codes in a field, in NFC as in the register of sites."""
    words = text.split(";") if ";" in text else text.split()
    codes = (unicodedata.normalize("NFC", word.strip()) for word in words)
    return tuple(dict.fromkeys(code for code in codes if code))


def read_key(text: str) -> int:
    """Return a subscriber key, unsigned. A negative decimal is the same 64 bits, as some databases write them."""
    word = text.strip()
    if HEXADECIMAL.fullmatch(word):
        return int(word, 16)
    if DECIMAL.fullmatch(word) and -(1 << KEY_BITS - 1) <= int(word) < 1 << KEY_BITS:
        return int(word) % (1 << KEY_BITS)
    raise FieldError(f"{word!r:.80}: expected a number of {KEY_BITS} bits, decimal or 0x…")


def read_topics(text: str, operator: str) -> tuple[str, ...]:
    """Return the topic filters in a field; each must match batches of the operator and of nobody else."""
    words = dict.fromkeys(text.split())
    for word in words:
        _check_topic(word, operator)
    return tuple(words)


def _check_topic(pattern: str, operator: str) -> None:
    own = f"{TOPIC_ROOT}/{operator}/"
    if not pattern.startswith(own):
        raise FieldError(f"{pattern!r:.300}: expected a filter within {own}")
    levels = pattern.removeprefix(own).split("/")
    if any(("#" in level or "+" in level) and len(level) > 1 for level in levels):
        raise FieldError(f"{pattern!r:.300}: + and # stand for whole levels")
    if "#" in levels[:-1]:
        raise FieldError(f"{pattern!r:.300}: # stands last")
    source = levels[0]
    if not (source in ("+", "#") or is_slug(source)):
        raise FieldError(f"{pattern!r:.300}: {source!r} is no source: expected a-z 0-9 . _ -")
    example = source if is_slug(source) else "x"
    reached = (batch_topic(operator, example, is_json=is_json) for is_json in (False, True))
    if not any(topic_matches(pattern, topic) for topic in reached):
        expected = f"{own}SOURCE/batch, {own}SOURCE/# or {own}#"
        raise FieldError(f"{pattern!r:.300} matches no topic of batches; expected {expected}")
