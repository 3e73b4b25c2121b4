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
