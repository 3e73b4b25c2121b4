from phusong.v1 import ingest_pb2 as _ingest_pb2
from phusong.v1 import journal_pb2 as _journal_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LocalPayload(_message.Message):
    __slots__ = ("route", "payload")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    route: _journal_pb2.Route
    payload: bytes
    def __init__(self, route: _Optional[_Union[_journal_pb2.Route, _Mapping]] = ..., payload: _Optional[bytes] = ...) -> None: ...

class LocalAnswer(_message.Message):
    __slots__ = ("receipt", "waiting")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    receipt: _ingest_pb2.Receipt
    waiting: str
    def __init__(self, receipt: _Optional[_Union[_ingest_pb2.Receipt, _Mapping]] = ..., waiting: _Optional[str] = ...) -> None: ...
