"""PLMN identities as numbers, and the operators behind those of Vietnam.

520-01 is not 520-001, so the number of digits is part of the number: a PLMN of six digits has
1,000,000 added. 0 means "not given", PLMN_INVALID "given and not a PLMN".
"""

PLMN_NONE = 0
PLMN_INVALID = -2
SIX_DIGITS = 1_000_000

# Source: DOMAIN §1, read in the numbering plan. Slugs are the `<operator>` of topics.
OPERATORS: dict[str, tuple[str, str]] = {
    "mobifone": ("45201", "MobiFone"),
    "vinaphone": ("45202", "VinaPhone"),
    "viettel": ("45204", "Viettel"),
    "vietnamobile": ("45205", "Vietnamobile"),
    "gmobile": ("45207", "Gmobile"),
    "itelecom": ("45208", "I-Telecom"),
    "reddi": ("45209", "Reddi"),
}


def plmn_number(text: str) -> int:
    """Return the number of a PLMN given as "45204", "452-04" or "452 04"."""
    if not text:
        return PLMN_NONE
    digits = text[:3] + text[4:] if len(text) in (6, 7) and text[3] in "- " else text
    if not (digits.isascii() and digits.isdigit() and len(digits) in (5, 6)):
        return PLMN_INVALID
    if not int(digits):
        return PLMN_INVALID  # what modems report without a network; also 0 is taken
    return int(digits) + (SIX_DIGITS if len(digits) == 6 else 0)


def plmn_text(plmn: int) -> str:
    """Return "452-04" for the number of a PLMN, "" for none."""
    if plmn <= PLMN_NONE:
        return ""
    digits = f"{plmn - SIX_DIGITS:06d}" if plmn >= SIX_DIGITS else f"{plmn:05d}"
    return f"{digits[:3]}-{digits[3:]}"


OPERATOR_OF_PLMN: dict[int, str] = {
    plmn_number(digits): slug for slug, (digits, _) in OPERATORS.items()
}


def operator_of(plmn: int) -> str:
    """Return the operator's slug, or the PLMN itself ("454-12") for a network not in the list."""
    return OPERATOR_OF_PLMN.get(plmn, plmn_text(plmn))
