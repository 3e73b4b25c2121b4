"""The manifest of an evidence pack: what is in it, what it claims, and how each frame is proven."""

import base64
import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

FORMAT: Literal["phusong-evidence-1"] = "phusong-evidence-1"
NAME = "manifest.json"
# 50 bits: nobody finds a second pack for a code that somebody reads out, and it fits on a printed line.
CHECK_CODE_LENGTH = 10
# A pack of every listed site names each frame once, at about 1 KiB.
MANIFEST_MAX_BYTES = 256 << 20

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ProvenFrame(_Part):
    """One frame of the journal, whole in `frames.zip`, and which of its envelopes bear on the verdicts."""

    sequence: int = Field(ge=1, le=2**62)
    received_time_ms: int = Field(ge=0, le=2**62)
    previous_chain: Hash
    proof: list[Hash]
    envelopes: list[int]


class Manifest(_Part):
    """Everything that is claimed. `files` names every other file of the pack by its SHA-256."""

    format: Literal["phusong-evidence-1"]
    software: str
    journal: str
    as_of: str
    known_at: str
    policy: dict[str, str]
    sites: list[str]
    head: str
    frames: list[ProvenFrame]
    files: dict[str, Hash]


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return a manifest as its file holds it: the same content is always the same bytes."""
    document: dict[str, Any] = manifest.model_dump()
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def check_code(content: bytes) -> str:
    """Return the short code of a manifest's bytes, to be printed and compared: ABCDE-FGHIJ."""
    digest = base64.b32encode(hashlib.sha256(content).digest()).decode()[:CHECK_CODE_LENGTH]
    half = CHECK_CODE_LENGTH // 2
    return f"{digest[:half]}-{digest[half:]}"
