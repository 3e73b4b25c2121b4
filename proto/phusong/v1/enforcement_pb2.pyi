from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    ACTION_NOTIFY: _ClassVar[Action]
    ACTION_CUT: _ClassVar[Action]
    ACTION_RESTORE: _ClassVar[Action]
    ACTION_THROTTLE: _ClassVar[Action]
ACTION_UNSPECIFIED: Action
ACTION_NOTIFY: Action
ACTION_CUT: Action
ACTION_RESTORE: Action
ACTION_THROTTLE: Action

class WatchRequest(_message.Message):
    __slots__ = ("operator", "after_position")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    operator: str
    after_position: int
    def __init__(self, operator: _Optional[str] = ..., after_position: _Optional[int] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("operator", "position", "decision_key", "subscriber_key", "action", "threshold_percent", "day", "used_bytes", "quota_bytes", "crossed_time_ms", "decided_time_ms", "throttle_bits_per_s", "arrived_time_ms", "report_interval_ms")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DECISION_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBER_KEY_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_PERCENT_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUOTA_BYTES_FIELD_NUMBER: _ClassVar[int]
    CROSSED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    REPORT_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    operator: str
    position: int
    decision_key: str
    subscriber_key: int
    action: Action
    threshold_percent: int
    day: str
    used_bytes: int
    quota_bytes: int
    crossed_time_ms: int
    decided_time_ms: int
    throttle_bits_per_s: int
    arrived_time_ms: int
    report_interval_ms: int
    def __init__(self, operator: _Optional[str] = ..., position: _Optional[int] = ..., decision_key: _Optional[str] = ..., subscriber_key: _Optional[int] = ..., action: _Optional[_Union[Action, str]] = ..., threshold_percent: _Optional[int] = ..., day: _Optional[str] = ..., used_bytes: _Optional[int] = ..., quota_bytes: _Optional[int] = ..., crossed_time_ms: _Optional[int] = ..., decided_time_ms: _Optional[int] = ..., throttle_bits_per_s: _Optional[int] = ..., arrived_time_ms: _Optional[int] = ..., report_interval_ms: _Optional[int] = ...) -> None: ...

class DecisionsSent(_message.Message):
    __slots__ = ("operator", "sent_time_ms", "attempt", "positions")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    operator: str
    sent_time_ms: int
    attempt: int
    positions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, operator: _Optional[str] = ..., sent_time_ms: _Optional[int] = ..., attempt: _Optional[int] = ..., positions: _Optional[_Iterable[int]] = ...) -> None: ...

class AcknowledgeRequest(_message.Message):
    __slots__ = ("operator", "decision_keys")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    DECISION_KEYS_FIELD_NUMBER: _ClassVar[int]
    operator: str
    decision_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, operator: _Optional[str] = ..., decision_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class AcknowledgeResponse(_message.Message):
    __slots__ = ("acknowledged_count",)
    ACKNOWLEDGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    acknowledged_count: int
    def __init__(self, acknowledged_count: _Optional[int] = ...) -> None: ...
