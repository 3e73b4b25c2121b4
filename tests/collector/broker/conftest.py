"""A broker that loses little, and its two dialects."""

import pytest
from brokers import CAREFUL, Mosquitto


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path, *CAREFUL) as running:
        yield running


@pytest.fixture(params=["3.1.1", "5"])
def version(request):
    return request.param
