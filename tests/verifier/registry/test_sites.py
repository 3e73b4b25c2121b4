import unicodedata

import pytest

from phusong.kernels.registers import ERROR_COUNT_MAX
from phusong.verifier.registry.sites import SiteRegister, read_sites

HEADER = (
    "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m,polygon\n"
)
GOOD = 'A1,Bản Mù,02,283,viettel;vinaphone,centre,22.5,104.7,500,""\n'


def register(text: str) -> SiteRegister:
    found = read_sites(text.encode())
    assert isinstance(found, SiteRegister), found
    return found


def errors(text: str) -> list[tuple[int, str]]:
    found = read_sites(text.encode())
    assert not isinstance(found, SiteRegister)
    return [(error.line, error.column) for error in found]


def test_a_site_is_a_centre_and_its_clusters() -> None:
    (site,) = register(HEADER + GOOD + GOOD.replace("centre,22.5", "xóm Đông,22.51")).sites

    assert (site.code, site.name, site.province_code, site.list) == ("A1", "Bản Mù", "02", "283")
    assert site.operators == ("viettel", "vinaphone")
    assert [part.name for part in site.parts] == ["centre", "xóm Đông"]


def test_part_radius_and_polygon_may_be_left_out() -> None:
    text = "code,name,province,list,operator,lat,lon\nA1,Ban A,2,283,Viettel,22.5,104.7\n"

    (site,) = register(text).sites

    assert site.parts[0].name == "centre"
    assert site.parts[0].extent_m == 500.0
    assert site.province_code == "02"
    assert site.operators == ("viettel",)


def test_a_polygon_gives_the_position() -> None:
    line = (
        'A1,Ban A,02,283,452-04,centre,,,,"22.49 104.69; 22.51 104.69; 22.5 104.71; 22.49 104.69"\n'
    )

    (part,) = register(HEADER + line).sites[0].parts

    assert (part.latitude_deg, round(part.longitude_deg, 6)) == (22.5, 104.7)
    assert len(part.polygon) == 3
    assert 1500 < part.extent_m < 1600


def test_two_spellings_of_one_name_are_one_name() -> None:
    decomposed = unicodedata.normalize("NFD", GOOD.replace("centre", "xóm"))

    (site,) = register(HEADER + GOOD + decomposed).sites

    assert site.name == "Bản Mù"


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert register("\ufeff" + HEADER + GOOD).sites


def test_sites_stand_in_the_order_of_their_codes() -> None:
    both = register(HEADER + GOOD.replace("A1", "B1") + "\n" + GOOD)

    assert [site.code for site in both.sites] == ["A1", "B1"]
    assert both == register(HEADER + GOOD + GOOD.replace("A1", "B1"))


def test_a_network_without_a_slug_is_named_by_its_code() -> None:
    (site,) = register(HEADER + GOOD.replace("viettel;vinaphone", "272-05; 45204")).sites

    assert site.operators == ("272-05", "viettel")


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("A1,", ",", "site_code"),
        ("A1,", "x" * 65 + ",", "site_code"),
        ("Bản Mù", "", "name"),
        ("Bản Mù", "a\tb", "name"),
        (",02,", ",03,", "province_code"),
        (",283,", ",2 83,", "list"),
        ("viettel;vinaphone", "vietel", "operators"),
        ("viettel;vinaphone", "", "operators"),
        ("22.5", "north", "latitude_deg"),
        ("22.5", "86", "latitude_deg"),
        ("22.5", "nan", "latitude_deg"),
        ("22.5", "", "latitude_deg"),
        ("104.7", "181", "longitude_deg"),
        ("104.7", "179.9999", "longitude_deg"),  # reaches over the antimeridian
        ("500", "10", "radius_m"),
        ("500", "20001", "radius_m"),
        ('""', '"1 2; 3 4"', "polygon"),
        ('""', '"1 2; 3 4 5; 6 7"', "polygon"),
        ('""', '"1 2; 2 3; 3 4"', "polygon"),  # on one line
        ('""', '"22 104; 23 104; 23 105"', "polygon"),  # a district
    ],
)
def test_an_error_names_line_and_column(old: str, new: str, column: str) -> None:
    assert errors(HEADER + GOOD.replace("A1", "A0") + GOOD.replace(old, new)) == [(3, column)]


def test_every_error_is_named_and_nothing_is_applied() -> None:
    bad = GOOD.replace("02", "99").replace("22.5", "x")

    assert errors(HEADER + bad + GOOD + bad) == [
        (2, "province_code"),
        (2, "latitude_deg"),
        (4, "province_code"),
        (4, "latitude_deg"),
    ]


def test_errors_are_bounded() -> None:
    bad = GOOD.replace("02", "99")

    assert len(errors(HEADER + bad * (ERROR_COUNT_MAX + 5))) == ERROR_COUNT_MAX


def test_lines_of_a_site_agree_in_all_but_the_part() -> None:
    other = GOOD.replace("centre", "east").replace("Bản Mù", "Bản Mới").replace(",283,", ",1910,")

    assert errors(HEADER + GOOD + other) == [(3, "name"), (3, "list")]
    assert errors(HEADER + GOOD + GOOD) == [(3, "part")]


def test_a_record_over_two_lines_is_named_by_its_first() -> None:
    two_lines = GOOD.replace("Bản Mù", '"Bản\nMù"')

    assert errors(HEADER + two_lines + GOOD.replace("02", "99")) == [
        (2, "name"),
        (4, "province_code"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [(1, c) for c in HEADER.split(",")[:5]] + [(1, "latitude_deg"), (1, "longitude_deg")]),
        (HEADER.replace("list", "lists") + GOOD, [(1, "list"), (1, "lists")]),
        (HEADER.replace("name", "site_code") + GOOD, [(1, "name"), (1, "site_code")]),
        (HEADER + "A1,Ban A\n", [(2, "")]),
        (HEADER + 'A1,"Ban A\n', [(2, "")]),
    ],
)
def test_the_shape_of_the_file_is_checked(text: str, found: list[tuple[int, str]]) -> None:
    assert errors(text) == found


def test_what_is_not_utf_8_is_named_by_its_line() -> None:
    found = read_sites((HEADER + GOOD).encode() + b"A2,B\xe1n\n")

    assert isinstance(found, list)
    assert (found[0].line, "not UTF-8" in found[0].message) == (3, True)


def test_a_register_without_lines_is_empty() -> None:
    assert register(HEADER) == SiteRegister.empty()
