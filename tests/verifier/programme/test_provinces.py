"""Provinces by their code of 2021, and what became of them in 2025."""

from phusong.verifier.programme.provinces import read_provinces


def test_there_were_63_provinces_in_2021_and_34_since_july_2025() -> None:
    provinces = read_provinces()

    assert len(provinces) == 63
    assert len({province.gso_code_2025 for province in provinces.values()}) == 34


def test_a_province_is_known_by_both_names() -> None:
    ha_giang = read_provinces()["02"]

    assert (ha_giang.name, ha_giang.gso_code_2025, ha_giang.name_2025) == (
        "Hà Giang",
        "08",
        "Tuyên Quang",
    )


def test_each_new_province_has_one_name() -> None:
    names = {(p.gso_code_2025, p.name_2025) for p in read_provinces().values()}

    assert len(names) == 34
