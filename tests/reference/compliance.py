"""A day's compliance as somebody with a spreadsheet does it: one SIM after the other, no arrays."""

from math import ceil

from reference.days import day_start_ms


def rank(values: list[int], percent: int) -> int | None:
    """The smallest value that at least so many percent do not exceed."""
    return sorted(values)[ceil(len(values) * percent / 100) - 1] if values else None


def judge(day: int, quota: int, sims: list[dict], cuts: list[dict]) -> dict[tuple[str, str], dict]:
    """Return by operator and province what became of its SIMs. sims and cuts: fields as dicts."""
    found: dict[tuple[str, str], dict] = {}
    for sim in sims:
        row = found.setdefault(
            (sim["operator"], sim["province"]),
            {
                **dict.fromkeys(("entitled", "heard", "early", "denied_s", "charged"), 0),
                **dict.fromkeys(("not_provisioned", "gaps", "after", "cuts", "unverified"), 0),
                "over": [],
                "waits": [],
                "denied_ms": 0,
            },
        )
        row["charged"] += sim["charged"]
        row["after"] += sim["after"]
        if sim["entitled"]:
            row["entitled"] += 1
            if sim["heard"]:
                row["heard"] += 1
            elif sim["heard_before"]:
                row["gaps"] += 1
            else:
                row["not_provisioned"] += 1
            if sim["used"] > quota:
                row["over"].append(sim["used"] - quota)
        for cut in cuts:
            if cut["sim"] != sim["key"]:
                continue
            row["cuts"] += 1
            if cut["acknowledged"] is not None:
                row["unverified"] += cut["verified"] is None
                if cut["sent"] is not None:
                    row["waits"].append(cut["acknowledged"] - cut["sent"])
            if cut["restored"] is None and sim["used"] >= quota:
                continue
            row["early"] += 1
            began = cut["decided"] if cut["acknowledged"] is None else cut["acknowledged"]
            ended = day_start_ms(day + 1)
            if cut["restored"] is not None and cut["restored"] < ended:
                ended = cut["restored"]
            row["denied_ms"] += max(0, ended - began)
    return found
