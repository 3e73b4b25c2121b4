from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReserveRequest(_message.Message):
    __slots__ = ("operator", "source", "subscriber_key", "session", "number", "used_bytes", "wanted_bytes", "is_release")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBER_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    WANTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    IS_RELEASE_FIELD_NUMBER: _ClassVar[int]
    operator: str
    source: str
    subscriber_key: int
    session: str
    number: int
    used_bytes: int
    wanted_bytes: int
    is_release: bool
    def __init__(self, operator: _Optional[str] = ..., source: _Optional[str] = ..., subscriber_key: _Optional[int] = ..., session: _Optional[str] = ..., number: _Optional[int] = ..., used_bytes: _Optional[int] = ..., wanted_bytes: _Optional[int] = ..., is_release: _Optional[bool] = ...) -> None: ...

class ReserveAnswer(_message.Message):
    __slots__ = ("granted_bytes", "left_bytes", "expires_time_ms", "day")
    GRANTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEFT_BYTES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    granted_bytes: int
    left_bytes: int
    expires_time_ms: int
    day: str
    def __init__(self, granted_bytes: _Optional[int] = ..., left_bytes: _Optional[int] = ..., expires_time_ms: _Optional[int] = ..., day: _Optional[str] = ...) -> None: ...

class Reservation(_message.Message):
    __slots__ = ("request", "time_ms", "quota_bytes", "answer")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    QUOTA_BYTES_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    request: ReserveRequest
    time_ms: int
    quota_bytes: int
    answer: ReserveAnswer
    def __init__(self, request: _Optional[_Union[ReserveRequest, _Mapping]] = ..., time_ms: _Optional[int] = ..., quota_bytes: _Optional[int] = ..., answer: _Optional[_Union[ReserveAnswer, _Mapping]] = ...) -> None: ...
