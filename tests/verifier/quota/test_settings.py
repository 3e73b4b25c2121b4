import pytest

from phusong.verifier.quota.settings import QUOTA_BYTES_DEFAULT, QuotaSettings


def test_four_gigabytes_are_read_as_gibibytes_by_default() -> None:
    assert QuotaSettings().quota_bytes == QUOTA_BYTES_DEFAULT == 4_294_967_296


def test_a_threshold_is_reached_by_the_fewest_whole_bytes() -> None:
    assert QuotaSettings(quota_bytes=101).threshold_bytes == [51, 81, 101]


def test_settings_are_named_by_their_content() -> None:
    assert QuotaSettings().digest == QuotaSettings(4 * 2**30).digest
    assert QuotaSettings().digest != QuotaSettings(4 * 10**9).digest


@pytest.mark.parametrize("quota_bytes", [0, -1, 2**60 + 1])
def test_a_quota_that_is_none_is_refused(quota_bytes: int) -> None:
    with pytest.raises(ValueError, match="quota_bytes"):
        QuotaSettings(quota_bytes)
