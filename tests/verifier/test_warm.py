"""Kernels are compiled before telemetry waits for them."""

import subprocess
import sys


def test_after_the_warm_up_real_telemetry_compiles_nothing_more() -> None:
    script = """
from numba.core.dispatcher import Dispatcher
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.warm import warm_up
import gc
warm_up(QuotaSettings())
def signatures():
    return {id(d): len(d.signatures) for d in gc.get_objects() if isinstance(d, Dispatcher)}
before = signatures()
warm_up(QuotaSettings())
assert before == signatures()
assert sum(before.values()) > 10, before
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=280)
