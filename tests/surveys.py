"""Made-up sites, and drives over them that leave no doubt."""

from pathlib import Path

from running import phusong

SITES = """site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m
HG-1,Nhà văn hoá thôn Bản Máy,02,283,viettel,centre,22.8000,104.9800,150
HG-2,Lũng Cú,02,1910,viettel;vinaphone,centre,23.3600,105.3100,150
"""


def add_sites(data: Path) -> None:
    file = data / "sites.csv"
    file.write_text(SITES)
    phusong("registry", "add", "sites", file, "--data", data)


def survey_rows(level_dbm: float, latitude_deg: float, longitude_deg: float) -> str:
    """Every place cell of a footprint of 150 m, by two devices on three days, mornings and afternoons.

    Other footprints are surveyed by other devices: nobody is in two at once.
    """
    devices = [10 * int(latitude_deg) + one for one in (1, 2)]
    columns = (
        "device_key,observed_time_ms,latitude_deg,longitude_deg,position_accuracy_m,rat,sim_plmn,"
        "serving_plmn,rsrp_dbm"
    )
    lines = [columns]
    for day in (1, 2, 3):
        for hour in (8, 14):
            for device in devices:
                for north in range(-3, 3):
                    for east in range(-3, 3):
                        lat = latitude_deg + (north + 0.5) * 50 / 111_195
                        lon = longitude_deg + (east + 0.5) * 50 / (111_195 * 0.9217)
                        moment = (
                            f"2021-12-0{day}T{hour:02d}:{(north + 3) * 6 + east + 3:02d}:00+07:00"
                        )
                        lines.append(
                            f"{device},{moment},{lat:.7f},{lon:.7f},8,LTE,452-04,452-04,{level_dbm}"
                        )
    return "\n".join(lines) + "\n"


def import_survey(
    data: Path, name: str, level_dbm: float, latitude_deg: float, longitude_deg: float
) -> None:
    file = data / f"{name}.csv"
    file.write_text(survey_rows(level_dbm, latitude_deg, longitude_deg))
    phusong("import", file, "--format", "csv", "--operator", "viettel", "--data", data)
