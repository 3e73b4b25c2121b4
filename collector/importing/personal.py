"""What must never come in: numbers that are a person's. The subscribers are children."""

import polars as pl

from phusong.collector.importing.options import ImportRefused

# Column names without their separators.
PERSONAL_COLUMNS = {
    "imsi", "3gppimsi", "supi", "msisdn", "gpsi", "iccid", "username", "callingstationid",
    "phonenumber", "subscriptionid",
}  # fmt: skip

REMEDY = (
    "Phusong stores opaque 64-bit keys only; replace it by keys as `phusong pseudonymize` makes them "
    "(HMAC of the IMSI under a key the operator keeps)"
)

# An IMSI of Vietnam, and a telephone number of Vietnam. A key made by HMAC looks like one of them
# once in ten million keys; a column of IMSIs always does.
_IMSI = r"^452\d{12}$"
_MSISDN = r"^((\+|00)?84|0)[35789]\d{8}$"
# The number of a SIM card. One key in 20,000 begins like this, so most of a column must.
_ICCID = r"^8984\d{14,16}$"


def refuse_personal_columns(file: str, header: list[str]) -> None:
    """Refuse a file that has a column for a personal number.

    Raises:
        ImportRefused: naming the column and the remedy.
    """
    for name in header:
        bare = "".join(letter for letter in name.lower() if letter.isalnum())
        if bare in PERSONAL_COLUMNS:
            raise ImportRefused(f"{file}: column {name!r} holds personal numbers. {REMEDY}")


def refuse_personal_keys(file: str, column: str, keys: pl.Series) -> None:
    """Refuse a column of keys that are numbers of SIMs or telephones. Nothing of it is repeated in the message.

    Raises:
        ImportRefused: naming the column and the remedy.
    """
    given = keys.drop_nulls()
    if given.is_empty():
        return
    is_number = given.str.contains(_IMSI) | given.str.contains(_MSISDN)
    is_card = given.str.contains(_ICCID)
    if is_number.any() or 2 * is_card.sum() > len(given):
        raise ImportRefused(
            f"{file}: column {column!r} holds numbers of SIMs or telephones, not keys. {REMEDY}"
        )
