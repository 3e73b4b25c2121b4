"""Status by shape and colour, never red against green, so that a colour-blind auditor reads it and a printer prints it."""

from typing import NamedTuple


class Sign(NamedTuple):
    """How a status looks, in both languages."""

    shape: str
    colour: str
    vietnamese: str
    english: str


SIGNS: dict[str, Sign] = {
    "COVERED": Sign("●", "#1B6CA8", "Đạt", "covered"),
    "NOT_COVERED": Sign("▲", "#B8350B", "Không đạt", "not covered"),
    "CONFLICTED": Sign("◆", "#F2C14E", "Mâu thuẫn", "conflicted"),
    "STALE": Sign("◆", "#F2C14E", "Hết hạn", "stale"),
    "DISPUTED": Sign("◆", "#F2C14E", "Tranh chấp", "disputed"),
    "INSUFFICIENT": Sign("○", "#767676", "Chưa đủ dữ liệu", "insufficient"),
    "UNTESTED": Sign("○", "#767676", "Chưa đo", "untested"),
    "WITHIN": Sign("●", "#1B6CA8", "Trong hạn mức", "within"),
    "EXHAUSTED": Sign("▲", "#B8350B", "Hết dung lượng", "exhausted"),
    "INDETERMINATE": Sign("◆", "#F2C14E", "Chưa xác định", "indeterminate"),
    "MET": Sign("●", "#1B6CA8", "Đã đạt", "met"),
    "NOT_MET": Sign("▲", "#B8350B", "Không đạt", "not met"),
    "RUNNING": Sign("◆", "#F2C14E", "Đang thực hiện", "running"),
    "UNPROVEN": Sign("○", "#767676", "Chưa chứng minh", "unproven"),
    "OPEN": Sign("◆", "#F2C14E", "Chờ trả lời", "open"),
    "REBUTTED": Sign("◆", "#F2C14E", "Đã phản bác", "rebutted"),
    "CONCEDED": Sign("●", "#1B6CA8", "Đã thừa nhận", "conceded"),
    "WITHDRAWN": Sign("○", "#767676", "Đã rút", "withdrawn"),
    "LAPSED": Sign("○", "#767676", "Quá hạn trả lời", "lapsed"),
    "UPHELD": Sign("●", "#1B6CA8", "Chấp nhận khiếu nại", "upheld"),
    "DISMISSED": Sign("▲", "#B8350B", "Bác khiếu nại", "dismissed"),
    "RELEASED": Sign("●", "#1B6CA8", "Được tính", "released"),
    "CONFIRMED": Sign("▲", "#B8350B", "Loại bỏ", "confirmed"),
    "PENDING": Sign("○", "#767676", "Chưa gửi", "pending"),
    "SENT": Sign("◆", "#F2C14E", "Đã gửi", "sent"),
    "ACKNOWLEDGED": Sign("◆", "#F2C14E", "Đã xác nhận", "acknowledged"),
    "VERIFIED": Sign("●", "#1B6CA8", "Đã kiểm chứng", "verified"),
    "ENFORCEMENT_FAILED": Sign("▲", "#B8350B", "Không có hiệu lực", "enforcement failed"),
    "SUPERSEDED": Sign("○", "#767676", "Đã thay thế", "superseded"),
    "NOT_ENTITLED": Sign("○", "#767676", "Không thuộc diện", "not entitled"),
}


def sign_of(status: str) -> Sign:
    """Return how a status looks."""
    return SIGNS[status]
