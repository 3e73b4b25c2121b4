import polars as pl
import pytest

from phusong.collector.importing.options import ImportRefused
from reference.importing import imported

USAGE = "subscriber_key,observed_time_ms,uplink_bytes,downlink_bytes"


def usage(folder, *keys):
    path = folder / "usage.csv"
    path.write_text("\n".join([USAGE, *(f"{key},1633046400000,1,2" for key in keys)]) + "\n")
    return imported(path)


@pytest.mark.parametrize(
    "column", ["imsi", "IMSI", "msisdn", "ICCID", "user_name", "User-Name", "supi"]
)
@pytest.mark.parametrize("format_name", ["auto", "usage-csv", "gnettrack", "radius"])
def test_a_file_with_a_column_of_personal_numbers_is_refused_whole(tmp_path, column, format_name):
    path = tmp_path / "file.csv"
    path.write_text(f"{USAGE},{column}\n7,1633046400000,1,2,x\n")

    with pytest.raises(ImportRefused, match="pseudonymize"):
        imported(path, format_name)


def test_so_is_such_a_parquet_file(tmp_path):
    path = tmp_path / "file.parquet"
    pl.DataFrame({"subscriber_key": [7], "imsi": ["x"]}).write_parquet(path)

    with pytest.raises(ImportRefused, match="pseudonymize"):
        imported(path)


@pytest.mark.parametrize(
    "number", ["452040123456789", "84912345678", "+84912345678", "0084912345678", "0912345678"]
)
def test_numbers_of_sims_and_telephones_are_no_keys_and_are_not_repeated(tmp_path, number):
    with pytest.raises(ImportRefused, match="pseudonymize") as refused:
        usage(tmp_path, 7, number, 8)

    assert number not in str(refused.value)


def test_a_column_of_card_numbers_is_refused_but_one_key_that_looks_like_one_is_not(tmp_path):
    card = "8984048000012345678"

    with pytest.raises(ImportRefused, match="pseudonymize"):
        usage(tmp_path, card, card)

    assert len(usage(tmp_path, card, 7, 8)[0][0].usage_readings) == 3


def test_a_personal_number_is_refused_on_the_command_line_too(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("observed_time_ms,uplink_bytes,downlink_bytes\n")

    with pytest.raises(ImportRefused, match="pseudonymize"):
        imported(path, "usage-csv", subscriber="452040123456789")


def test_a_key_that_cannot_be_read_is_withheld_from_the_journal(tmp_path):
    _, (bad_row,), _ = usage(tmp_path, "0912.345.678")

    assert bad_row.reason == "NOT_A_NUMBER"
    assert "0912" not in bad_row.detail + bad_row.row
