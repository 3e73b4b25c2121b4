"""`phusong registry add` names what is wrong with a file as compilers do: file, line, character, column, what was expected."""

from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phusong.dashboards.commands.registry import Registry, app

POLICY = files("phusong.verifier.coverage").joinpath("plan3667-mobile-internet.toml").read_text()
LIMITS = files("phusong.verifier.disputes").joinpath("limits.toml").read_text()
SITES = "site_code,name,province,list,operators,lat,lon\n"
PROGRAMME = '[programme]\nid = "p"\n[[obligation]]\nid = "o"\nsource = "s"\n'

# Kind, file, and what stands after the name of the file.
WRONG = {
    "sites": (
        SITES + '"A,1","Bản, Máy",02,283,viettel,north,105\n',
        ":2:33: latitude_deg: 'north'",
    ),
    "sims": ("subscriber_key,operator,start\n7,viettel,2021-13-01\n", ":2:11: start: '2021-13-01'"),
    "handovers": (
        "subscriber_key,handover_date,province_code\n7,2021-10-01,99\n",
        ":2:14: province_code: '99': expected a province code of 2021",
    ),
    "sources": ("source,operator\npgw-1,Viettel!\n", ":2:7: operator: "),
    "platforms": ("platform,domain,free_from,free_until\na,a.vn,1/9/2021,\n", ":2:8: free_from: "),
    "programme": (PROGRAMME + "target_count = 0\n", ":6:16: obligation[0].target_count: found 0;"),
    "disputes": (
        LIMITS.replace("limit_days = 60", "limit_days = 0"),
        ":16:14: rebuttal.limit_days: found 0; expected a whole number",
    ),
    "operators": ("operator,after_quota\nviettel,charge\n", ":2:9: after_quota: 'charge': "),
    "policy": (
        POLICY.replace("devices = 2", "devices = 0"),
        ":63:11: minimum.devices: found 0; expected a whole number, 1 to 1000 devices",
    ),
}


def test_every_kind_of_registry_is_tried_here() -> None:
    assert set(WRONG) == {kind.value for kind in Registry}


@pytest.mark.parametrize("kind", WRONG)
def test_an_error_names_its_line_and_character_and_nothing_is_added(
    kind: str, tmp_path: Path
) -> None:
    text, expected = WRONG[kind]
    file = tmp_path / "wrong"
    file.write_text(text, "utf-8")

    ran = CliRunner().invoke(app, ["add", kind, str(file), "--data", str(tmp_path / "data")])

    assert ran.exit_code == 2
    assert f"{file}{expected}" in ran.stderr
    assert f"{file} was not added: 1 error. " in ran.stderr
    assert not (tmp_path / "data").exists()
