from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RAT_UNSPECIFIED: _ClassVar[Rat]
    RAT_GSM: _ClassVar[Rat]
    RAT_UMTS: _ClassVar[Rat]
    RAT_LTE: _ClassVar[Rat]
    RAT_NR: _ClassVar[Rat]

class ServiceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_STATE_UNSPECIFIED: _ClassVar[ServiceState]
    SERVICE_STATE_IN_SERVICE: _ClassVar[ServiceState]
    SERVICE_STATE_NO_SERVICE: _ClassVar[ServiceState]
    SERVICE_STATE_EMERGENCY_ONLY: _ClassVar[ServiceState]

class CellRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CELL_ROLE_UNSPECIFIED: _ClassVar[CellRole]
    CELL_ROLE_SERVING: _ClassVar[CellRole]
    CELL_ROLE_NEIGHBOUR: _ClassVar[CellRole]

class CounterKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COUNTER_KIND_UNSPECIFIED: _ClassVar[CounterKind]
    COUNTER_KIND_CUMULATIVE: _ClassVar[CounterKind]
    COUNTER_KIND_DELTA: _ClassVar[CounterKind]

class TrafficClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAFFIC_CLASS_UNSPECIFIED: _ClassVar[TrafficClass]
    TRAFFIC_CLASS_METERED: _ClassVar[TrafficClass]
    TRAFFIC_CLASS_ZERO_RATED: _ClassVar[TrafficClass]

class RecordType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_TYPE_UNSPECIFIED: _ClassVar[RecordType]
    RECORD_TYPE_START: _ClassVar[RecordType]
    RECORD_TYPE_INTERIM: _ClassVar[RecordType]
    RECORD_TYPE_STOP: _ClassVar[RecordType]
RAT_UNSPECIFIED: Rat
RAT_GSM: Rat
RAT_UMTS: Rat
RAT_LTE: Rat
RAT_NR: Rat
SERVICE_STATE_UNSPECIFIED: ServiceState
SERVICE_STATE_IN_SERVICE: ServiceState
SERVICE_STATE_NO_SERVICE: ServiceState
SERVICE_STATE_EMERGENCY_ONLY: ServiceState
CELL_ROLE_UNSPECIFIED: CellRole
CELL_ROLE_SERVING: CellRole
CELL_ROLE_NEIGHBOUR: CellRole
COUNTER_KIND_UNSPECIFIED: CounterKind
COUNTER_KIND_CUMULATIVE: CounterKind
COUNTER_KIND_DELTA: CounterKind
TRAFFIC_CLASS_UNSPECIFIED: TrafficClass
TRAFFIC_CLASS_METERED: TrafficClass
TRAFFIC_CLASS_ZERO_RATED: TrafficClass
RECORD_TYPE_UNSPECIFIED: RecordType
RECORD_TYPE_START: RecordType
RECORD_TYPE_INTERIM: RecordType
RECORD_TYPE_STOP: RecordType

class Batch(_message.Message):
    __slots__ = ("source", "boot_epoch", "sequence", "signal_readings", "usage_readings", "cell_reports", "operator")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    BOOT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_READINGS_FIELD_NUMBER: _ClassVar[int]
    USAGE_READINGS_FIELD_NUMBER: _ClassVar[int]
    CELL_REPORTS_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    source: str
    boot_epoch: int
    sequence: int
    signal_readings: _containers.RepeatedCompositeFieldContainer[SignalReading]
    usage_readings: _containers.RepeatedCompositeFieldContainer[UsageReading]
    cell_reports: _containers.RepeatedCompositeFieldContainer[CellReport]
    operator: str
    def __init__(self, source: _Optional[str] = ..., boot_epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., signal_readings: _Optional[_Iterable[_Union[SignalReading, _Mapping]]] = ..., usage_readings: _Optional[_Iterable[_Union[UsageReading, _Mapping]]] = ..., cell_reports: _Optional[_Iterable[_Union[CellReport, _Mapping]]] = ..., operator: _Optional[str] = ...) -> None: ...

class SignalReading(_message.Message):
    __slots__ = ("device_key", "observed_time_ms", "latitude_deg", "longitude_deg", "position_accuracy_m", "rat", "sim_plmn", "serving_plmn", "cell_identity", "rsrp_dbm", "ss_rsrp_dbm", "rscp_dbm", "rxlev_dbm", "rsrq_db", "sinr_db", "service_state", "cell_role", "download_bits_per_s", "upload_bits_per_s", "latency_ms", "access_succeeded", "speed_m_per_s", "pci", "tac", "reporting_delay_ms", "received_time_ms")
    DEVICE_KEY_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    LATITUDE_DEG_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_DEG_FIELD_NUMBER: _ClassVar[int]
    POSITION_ACCURACY_M_FIELD_NUMBER: _ClassVar[int]
    RAT_FIELD_NUMBER: _ClassVar[int]
    SIM_PLMN_FIELD_NUMBER: _ClassVar[int]
    SERVING_PLMN_FIELD_NUMBER: _ClassVar[int]
    CELL_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    RSRP_DBM_FIELD_NUMBER: _ClassVar[int]
    SS_RSRP_DBM_FIELD_NUMBER: _ClassVar[int]
    RSCP_DBM_FIELD_NUMBER: _ClassVar[int]
    RXLEV_DBM_FIELD_NUMBER: _ClassVar[int]
    RSRQ_DB_FIELD_NUMBER: _ClassVar[int]
    SINR_DB_FIELD_NUMBER: _ClassVar[int]
    SERVICE_STATE_FIELD_NUMBER: _ClassVar[int]
    CELL_ROLE_FIELD_NUMBER: _ClassVar[int]
    DOWNLOAD_BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    SPEED_M_PER_S_FIELD_NUMBER: _ClassVar[int]
    PCI_FIELD_NUMBER: _ClassVar[int]
    TAC_FIELD_NUMBER: _ClassVar[int]
    REPORTING_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    device_key: int
    observed_time_ms: int
    latitude_deg: float
    longitude_deg: float
    position_accuracy_m: float
    rat: Rat
    sim_plmn: str
    serving_plmn: str
    cell_identity: int
    rsrp_dbm: float
    ss_rsrp_dbm: float
    rscp_dbm: float
    rxlev_dbm: float
    rsrq_db: float
    sinr_db: float
    service_state: ServiceState
    cell_role: CellRole
    download_bits_per_s: int
    upload_bits_per_s: int
    latency_ms: float
    access_succeeded: bool
    speed_m_per_s: float
    pci: int
    tac: int
    reporting_delay_ms: int
    received_time_ms: int
    def __init__(self, device_key: _Optional[int] = ..., observed_time_ms: _Optional[int] = ..., latitude_deg: _Optional[float] = ..., longitude_deg: _Optional[float] = ..., position_accuracy_m: _Optional[float] = ..., rat: _Optional[_Union[Rat, str]] = ..., sim_plmn: _Optional[str] = ..., serving_plmn: _Optional[str] = ..., cell_identity: _Optional[int] = ..., rsrp_dbm: _Optional[float] = ..., ss_rsrp_dbm: _Optional[float] = ..., rscp_dbm: _Optional[float] = ..., rxlev_dbm: _Optional[float] = ..., rsrq_db: _Optional[float] = ..., sinr_db: _Optional[float] = ..., service_state: _Optional[_Union[ServiceState, str]] = ..., cell_role: _Optional[_Union[CellRole, str]] = ..., download_bits_per_s: _Optional[int] = ..., upload_bits_per_s: _Optional[int] = ..., latency_ms: _Optional[float] = ..., access_succeeded: _Optional[bool] = ..., speed_m_per_s: _Optional[float] = ..., pci: _Optional[int] = ..., tac: _Optional[int] = ..., reporting_delay_ms: _Optional[int] = ..., received_time_ms: _Optional[int] = ...) -> None: ...

class UsageReading(_message.Message):
    __slots__ = ("subscriber_key", "session", "counter_epoch", "sequence", "interval_start_time_ms", "observed_time_ms", "uplink_bytes", "downlink_bytes", "uplink_gigawords", "downlink_gigawords", "counter_width_bits", "counter_kind", "traffic_class", "rating_group", "record_type", "session_time_ms", "reporting_delay_ms", "received_time_ms")
    SUBSCRIBER_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    COUNTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_START_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    UPLINK_BYTES_FIELD_NUMBER: _ClassVar[int]
    DOWNLINK_BYTES_FIELD_NUMBER: _ClassVar[int]
    UPLINK_GIGAWORDS_FIELD_NUMBER: _ClassVar[int]
    DOWNLINK_GIGAWORDS_FIELD_NUMBER: _ClassVar[int]
    COUNTER_WIDTH_BITS_FIELD_NUMBER: _ClassVar[int]
    COUNTER_KIND_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_CLASS_FIELD_NUMBER: _ClassVar[int]
    RATING_GROUP_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    SESSION_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    REPORTING_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    subscriber_key: int
    session: str
    counter_epoch: int
    sequence: int
    interval_start_time_ms: int
    observed_time_ms: int
    uplink_bytes: int
    downlink_bytes: int
    uplink_gigawords: int
    downlink_gigawords: int
    counter_width_bits: int
    counter_kind: CounterKind
    traffic_class: TrafficClass
    rating_group: int
    record_type: RecordType
    session_time_ms: int
    reporting_delay_ms: int
    received_time_ms: int
    def __init__(self, subscriber_key: _Optional[int] = ..., session: _Optional[str] = ..., counter_epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., interval_start_time_ms: _Optional[int] = ..., observed_time_ms: _Optional[int] = ..., uplink_bytes: _Optional[int] = ..., downlink_bytes: _Optional[int] = ..., uplink_gigawords: _Optional[int] = ..., downlink_gigawords: _Optional[int] = ..., counter_width_bits: _Optional[int] = ..., counter_kind: _Optional[_Union[CounterKind, str]] = ..., traffic_class: _Optional[_Union[TrafficClass, str]] = ..., rating_group: _Optional[int] = ..., record_type: _Optional[_Union[RecordType, str]] = ..., session_time_ms: _Optional[int] = ..., reporting_delay_ms: _Optional[int] = ..., received_time_ms: _Optional[int] = ...) -> None: ...

class CellReport(_message.Message):
    __slots__ = ("plmn", "cell_identity", "site_code", "rat", "observed_time_ms", "on_air", "on_air_since_time_ms", "heartbeat_interval_ms", "load_permille", "uplink_bytes", "downlink_bytes", "rsrp_histogram_count", "reporting_delay_ms", "received_time_ms")
    PLMN_FIELD_NUMBER: _ClassVar[int]
    CELL_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    SITE_CODE_FIELD_NUMBER: _ClassVar[int]
    RAT_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ON_AIR_FIELD_NUMBER: _ClassVar[int]
    ON_AIR_SINCE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    LOAD_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    UPLINK_BYTES_FIELD_NUMBER: _ClassVar[int]
    DOWNLINK_BYTES_FIELD_NUMBER: _ClassVar[int]
    RSRP_HISTOGRAM_COUNT_FIELD_NUMBER: _ClassVar[int]
    REPORTING_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    plmn: str
    cell_identity: int
    site_code: str
    rat: Rat
    observed_time_ms: int
    on_air: bool
    on_air_since_time_ms: int
    heartbeat_interval_ms: int
    load_permille: int
    uplink_bytes: int
    downlink_bytes: int
    rsrp_histogram_count: _containers.RepeatedScalarFieldContainer[int]
    reporting_delay_ms: int
    received_time_ms: int
    def __init__(self, plmn: _Optional[str] = ..., cell_identity: _Optional[int] = ..., site_code: _Optional[str] = ..., rat: _Optional[_Union[Rat, str]] = ..., observed_time_ms: _Optional[int] = ..., on_air: _Optional[bool] = ..., on_air_since_time_ms: _Optional[int] = ..., heartbeat_interval_ms: _Optional[int] = ..., load_permille: _Optional[int] = ..., uplink_bytes: _Optional[int] = ..., downlink_bytes: _Optional[int] = ..., rsrp_histogram_count: _Optional[_Iterable[int]] = ..., reporting_delay_ms: _Optional[int] = ..., received_time_ms: _Optional[int] = ...) -> None: ...
