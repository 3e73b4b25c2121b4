"""Any bytes as a register or a policy that somebody hands in: what it says, or which lines are wrong. The first byte says which."""

from importlib.resources import files

from phusong.kernels.registers import LineError, read_sources
from phusong.verifier.coverage.policy import read_policy
from phusong.verifier.programme.reading import read_programme
from phusong.verifier.registry.handovers_file import read_handovers
from phusong.verifier.registry.platforms import read_platforms
from phusong.verifier.registry.sims_file import read_sims
from phusong.verifier.registry.sites import read_sites

READERS = (
    read_sources,
    read_sites,
    read_platforms,
    read_programme,
    read_sims,
    read_policy,
    read_handovers,
)
SITES = """site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m,polygon
HG-0017,Nhà văn hoá,02,283,viettel,centre,22.8012,104.9784,500,
HG-0017,Nhà văn hoá,02,283,viettel;454-12,"cụm, Khuổi Nà",22.8,104.9,,22.8 104.9; 22.9 104.9; 22.9 105.0
"""
SIMS = """subscriber_key,operator,province_code,handover_date,end
0xff,viettel,02,2021-10-01,
18446744073709551615,mobifone,,2021-10-01,2021-12-31
"""
PROGRAMME = """[programme]
id = "3667"
[[obligation]]
id = "coverage-283"
list = "283"
target_count = 283
deadline = 2021-09-30
"""


def seeds() -> list[bytes]:
    """Return one of each that is right."""
    texts = (
        "source,operator\r\npgw-1,viettel\r\n",
        SITES,
        "platform,domain,free_from,free_until\nvnedu,vnedu.vn,2021-10-01,\n",
        PROGRAMME,
        SIMS,
        files("phusong.verifier.coverage").joinpath("plan3667-mobile-internet.toml").read_text(),
        "subscriber_key,handover_date,province_code,phase\n0xff,2021-10-01,02,1\n",
    )
    return [bytes([kind]) + text.encode() for kind, text in enumerate(texts)]


def one(data: bytes) -> None:
    """Read it; every error names a line."""
    if not data:
        return
    found = READERS[data[0] % len(READERS)](data[1:])
    if isinstance(found, list):
        assert found, "no register and no error"
        assert all(isinstance(error, LineError) and error.line >= 0 for error in found)
        assert all(error.message for error in found)
