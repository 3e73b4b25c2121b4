from phusong.v1 import ingest_pb2 as _ingest_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Transport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSPORT_UNSPECIFIED: _ClassVar[Transport]
    TRANSPORT_MQTT: _ClassVar[Transport]
    TRANSPORT_MQTT_BROKER: _ClassVar[Transport]
    TRANSPORT_GRPC: _ClassVar[Transport]
    TRANSPORT_IMPORT: _ClassVar[Transport]
    TRANSPORT_SERVICE: _ClassVar[Transport]

class PayloadKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYLOAD_KIND_UNSPECIFIED: _ClassVar[PayloadKind]
    PAYLOAD_KIND_BATCH: _ClassVar[PayloadKind]
    PAYLOAD_KIND_BATCH_JSON: _ClassVar[PayloadKind]
    PAYLOAD_KIND_FILE_ROW: _ClassVar[PayloadKind]
    PAYLOAD_KIND_REGISTRY: _ClassVar[PayloadKind]
    PAYLOAD_KIND_UNREADABLE: _ClassVar[PayloadKind]
    PAYLOAD_KIND_DECISION: _ClassVar[PayloadKind]
    PAYLOAD_KIND_ACKNOWLEDGEMENT: _ClassVar[PayloadKind]
    PAYLOAD_KIND_OVERSIZED: _ClassVar[PayloadKind]
    PAYLOAD_KIND_DISPUTE: _ClassVar[PayloadKind]
    PAYLOAD_KIND_RULING: _ClassVar[PayloadKind]
    PAYLOAD_KIND_DECISIONS_SENT: _ClassVar[PayloadKind]
    PAYLOAD_KIND_RESERVATION: _ClassVar[PayloadKind]

class DisputeAct(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPUTE_ACT_UNSPECIFIED: _ClassVar[DisputeAct]
    DISPUTE_ACT_FILE: _ClassVar[DisputeAct]
    DISPUTE_ACT_REBUT: _ClassVar[DisputeAct]
    DISPUTE_ACT_CONCEDE: _ClassVar[DisputeAct]
    DISPUTE_ACT_WITHDRAW: _ClassVar[DisputeAct]
    DISPUTE_ACT_DECIDE: _ClassVar[DisputeAct]

class DisputeSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPUTE_SIDE_UNSPECIFIED: _ClassVar[DisputeSide]
    DISPUTE_SIDE_FILER: _ClassVar[DisputeSide]
    DISPUTE_SIDE_RESPONDENT: _ClassVar[DisputeSide]

class RulingAct(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RULING_ACT_UNSPECIFIED: _ClassVar[RulingAct]
    RULING_ACT_RELEASE: _ClassVar[RulingAct]
    RULING_ACT_CONFIRM: _ClassVar[RulingAct]
TRANSPORT_UNSPECIFIED: Transport
TRANSPORT_MQTT: Transport
TRANSPORT_MQTT_BROKER: Transport
TRANSPORT_GRPC: Transport
TRANSPORT_IMPORT: Transport
TRANSPORT_SERVICE: Transport
PAYLOAD_KIND_UNSPECIFIED: PayloadKind
PAYLOAD_KIND_BATCH: PayloadKind
PAYLOAD_KIND_BATCH_JSON: PayloadKind
PAYLOAD_KIND_FILE_ROW: PayloadKind
PAYLOAD_KIND_REGISTRY: PayloadKind
PAYLOAD_KIND_UNREADABLE: PayloadKind
PAYLOAD_KIND_DECISION: PayloadKind
PAYLOAD_KIND_ACKNOWLEDGEMENT: PayloadKind
PAYLOAD_KIND_OVERSIZED: PayloadKind
PAYLOAD_KIND_DISPUTE: PayloadKind
PAYLOAD_KIND_RULING: PayloadKind
PAYLOAD_KIND_DECISIONS_SENT: PayloadKind
PAYLOAD_KIND_RESERVATION: PayloadKind
DISPUTE_ACT_UNSPECIFIED: DisputeAct
DISPUTE_ACT_FILE: DisputeAct
DISPUTE_ACT_REBUT: DisputeAct
DISPUTE_ACT_CONCEDE: DisputeAct
DISPUTE_ACT_WITHDRAW: DisputeAct
DISPUTE_ACT_DECIDE: DisputeAct
DISPUTE_SIDE_UNSPECIFIED: DisputeSide
DISPUTE_SIDE_FILER: DisputeSide
DISPUTE_SIDE_RESPONDENT: DisputeSide
RULING_ACT_UNSPECIFIED: RulingAct
RULING_ACT_RELEASE: RulingAct
RULING_ACT_CONFIRM: RulingAct

class JournalFrame(_message.Message):
    __slots__ = ("routes", "envelopes")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    envelopes: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., envelopes: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("number", "operator", "source", "principal", "transport", "kind")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    number: int
    operator: str
    source: str
    principal: str
    transport: Transport
    kind: PayloadKind
    def __init__(self, number: _Optional[int] = ..., operator: _Optional[str] = ..., source: _Optional[str] = ..., principal: _Optional[str] = ..., transport: _Optional[_Union[Transport, str]] = ..., kind: _Optional[_Union[PayloadKind, str]] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("route", "payload")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    route: int
    payload: bytes
    def __init__(self, route: _Optional[int] = ..., payload: _Optional[bytes] = ...) -> None: ...

class FileRow(_message.Message):
    __slots__ = ("file", "line", "reason", "detail", "row", "kind")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    reason: str
    detail: str
    row: str
    kind: _ingest_pb2.RowKind
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., row: _Optional[str] = ..., kind: _Optional[_Union[_ingest_pb2.RowKind, str]] = ...) -> None: ...

class RegistryEntry(_message.Message):
    __slots__ = ("registry", "file", "content")
    REGISTRY_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    registry: str
    file: str
    content: bytes
    def __init__(self, registry: _Optional[str] = ..., file: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class DisputeEntry(_message.Message):
    __slots__ = ("act", "dispute", "name", "role", "text", "evidence", "verdict", "in_favour_of")
    ACT_FIELD_NUMBER: _ClassVar[int]
    DISPUTE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    IN_FAVOUR_OF_FIELD_NUMBER: _ClassVar[int]
    act: DisputeAct
    dispute: str
    name: str
    role: str
    text: str
    evidence: _containers.RepeatedCompositeFieldContainer[EvidenceSelection]
    verdict: DisputedVerdict
    in_favour_of: DisputeSide
    def __init__(self, act: _Optional[_Union[DisputeAct, str]] = ..., dispute: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., text: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[EvidenceSelection, _Mapping]]] = ..., verdict: _Optional[_Union[DisputedVerdict, _Mapping]] = ..., in_favour_of: _Optional[_Union[DisputeSide, str]] = ...) -> None: ...

class DisputedVerdict(_message.Message):
    __slots__ = ("site_code", "operator", "technology", "as_of_ms", "verdict", "policy_digest")
    SITE_CODE_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    TECHNOLOGY_FIELD_NUMBER: _ClassVar[int]
    AS_OF_MS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    site_code: str
    operator: str
    technology: str
    as_of_ms: int
    verdict: str
    policy_digest: str
    def __init__(self, site_code: _Optional[str] = ..., operator: _Optional[str] = ..., technology: _Optional[str] = ..., as_of_ms: _Optional[int] = ..., verdict: _Optional[str] = ..., policy_digest: _Optional[str] = ...) -> None: ...

class EvidenceSelection(_message.Message):
    __slots__ = ("operator", "source", "device_key", "from_time_ms", "until_time_ms", "file", "file_sha256", "boot_epoch")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_KEY_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    BOOT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    operator: str
    source: str
    device_key: int
    from_time_ms: int
    until_time_ms: int
    file: str
    file_sha256: bytes
    boot_epoch: int
    def __init__(self, operator: _Optional[str] = ..., source: _Optional[str] = ..., device_key: _Optional[int] = ..., from_time_ms: _Optional[int] = ..., until_time_ms: _Optional[int] = ..., file: _Optional[str] = ..., file_sha256: _Optional[bytes] = ..., boot_epoch: _Optional[int] = ...) -> None: ...

class RulingEntry(_message.Message):
    __slots__ = ("act", "name", "role", "text", "selection", "rows")
    ACT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    act: RulingAct
    name: str
    role: str
    text: str
    selection: str
    rows: _containers.RepeatedCompositeFieldContainer[RuledRows]
    def __init__(self, act: _Optional[_Union[RulingAct, str]] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., text: _Optional[str] = ..., selection: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[RuledRows, _Mapping]]] = ...) -> None: ...

class RuledRows(_message.Message):
    __slots__ = ("sequence", "envelope", "row")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    envelope: int
    row: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, sequence: _Optional[int] = ..., envelope: _Optional[int] = ..., row: _Optional[_Iterable[int]] = ...) -> None: ...
