from phusong.v1 import telemetry_pb2 as _telemetry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RowKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROW_KIND_UNSPECIFIED: _ClassVar[RowKind]
    ROW_KIND_SIGNAL: _ClassVar[RowKind]
    ROW_KIND_USAGE: _ClassVar[RowKind]
    ROW_KIND_CELL: _ClassVar[RowKind]
ROW_KIND_UNSPECIFIED: RowKind
ROW_KIND_SIGNAL: RowKind
ROW_KIND_USAGE: RowKind
ROW_KIND_CELL: RowKind

class Receipt(_message.Message):
    __slots__ = ("source", "boot_epoch", "sequence", "journal_sequence", "accepted_count", "duplicate_count", "refused_count", "refused", "trace_id")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    BOOT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    source: str
    boot_epoch: int
    sequence: int
    journal_sequence: int
    accepted_count: int
    duplicate_count: int
    refused_count: int
    refused: _containers.RepeatedCompositeFieldContainer[RefusedRow]
    trace_id: str
    def __init__(self, source: _Optional[str] = ..., boot_epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., journal_sequence: _Optional[int] = ..., accepted_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ..., refused_count: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[RefusedRow, _Mapping]]] = ..., trace_id: _Optional[str] = ...) -> None: ...

class RefusedRow(_message.Message):
    __slots__ = ("kind", "row", "reason")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    kind: RowKind
    row: int
    reason: str
    def __init__(self, kind: _Optional[_Union[RowKind, str]] = ..., row: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
