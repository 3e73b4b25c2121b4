"""What one row of the register of sources grants: who it is, by what it proves that, and what it may send. Pure."""

from dataclasses import dataclass

TOPIC_ROOT = "phusong/v1"
# RowKind of ingest.proto by the words of the register; a test compares them.
ROW_KINDS = {"signal": 1, "usage": 2, "cells": 3}
KEY_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Grant:
    """One source. What is empty or not given bounds nothing, except `topics`: empty means its own.

    Of tokens and certificates only SHA-256 is kept. A token is 256 random bits made by us, so there is nothing to
    guess and nothing that a slow or salted hash would protect. Two of each, so that the next one is good before the
    old one goes.
    """

    operator: str
    source: str
    token_sha256: tuple[bytes, ...] = ()  # of the token's text
    certificate_sha256: tuple[bytes, ...] = ()  # of the DER certificate
    topics: tuple[str, ...] = ()  # MQTT topic filters, all within its own operator
    row_kinds: tuple[str, ...] = ()  # of ROW_KINDS
    sites: tuple[str, ...] = ()  # site codes, for cell reports
    subscriber_first: int = 0  # unsigned, for usage readings
    subscriber_last: int = KEY_MAX

    @property
    def principal(self) -> str:
        """The name that everything sent with its credential carries in the journal."""
        return principal_of(self.operator, self.source)

    @property
    def has_credential(self) -> bool:
        """Whether there is a token or a certificate by which it proves who it is."""
        return bool(self.token_sha256 or self.certificate_sha256)

    @property
    def bounds_rows(self) -> bool:
        """Whether there are rows it may not send."""
        return bool(self.row_kinds or self.sites) or (
            self.subscriber_first > 0 or self.subscriber_last < KEY_MAX
        )

    def may_publish(self, topic: str) -> bool:
        """Tell whether its credential reaches a topic."""
        own = f"{TOPIC_ROOT}/{self.operator}/{self.source}/#"
        return any(topic_matches(pattern, topic) for pattern in self.topics or (own,))


def principal_of(operator: str, source: str) -> str:
    """Return the name of a source's credential. Slugs hold no "/", so no two sources share one."""
    return f"{operator}/{source}"


def batch_topic(operator: str, source: str, *, is_json: bool) -> str:
    """Return the topic of a source's batches."""
    return f"{TOPIC_ROOT}/{operator}/{source}/batch{'/json' if is_json else ''}"


def topic_matches(pattern: str, topic: str) -> bool:
    """Tell whether an MQTT topic filter matches a topic (MQTT 5, 4.7)."""
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )
