"""How far the verifier is behind."""

from phusong.dashboards.verifier_lag import LAG_MAX_S, VerifierLag


def test_a_lag_is_said_only_when_it_is_past_its_limit() -> None:
    assert VerifierLag(10**6, LAG_MAX_S).not_ready() is None
    assert "7 frames behind" in (VerifierLag(7, LAG_MAX_S + 1).not_ready() or "")
