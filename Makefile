# The only entry. `make demo` runs the main job, `make test` passes the tests; both install what
# they need themselves and cost little the second time.

VENV := .venv
BIN := $(VENV)/bin
PROTO := $(wildcard proto/phusong/v1/*.proto)
DEBIAN := mosquitto mosquitto-clients prometheus chromium strace systemd
export PHUSONG_KERNEL_CACHE ?= $(CURDIR)/.cache

.PHONY: setup check test torture calibrate bench proto demo watch dashboards debian lock

setup: $(VENV)/.installed

# uv is itself locked, installs from the lock with hashes checked, and needs seconds where pip needs minutes.
$(VENV)/.installed: requirements.lock uv.lock.txt pyproject.toml
	test -x $(BIN)/python || python3 -m venv $(VENV) || { apt-get update && apt-get install -y python3-venv && python3 -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --require-hashes -r uv.lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	mkdir -p .typing/phusong
	for part in collector kernels verifier dashboards; do ln -sfn ../../$$part .typing/phusong/$$part; done
	ln -sfn ../../proto/phusong/v1 .typing/phusong/v1
	touch $@

# What the tests run for real: a broker, promtool, a browser.
debian:
	@missing=""; for package in $(DEBIAN); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q "install ok installed" || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then echo "installing Debian packages:$$missing"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Two at a time, whole files each: most tests wait for processes, and files share what they started.
# pytest-benchmark measures nothing here, and warns of company.
PYTEST_SHARED := $(BIN)/python -m pytest -q -rs -n 2 --dist loadfile -p no:benchmark

test: setup debian check
	$(PYTEST_SHARED)
	NUMBA_BOUNDSCHECK=1 PHUSONG_KERNEL_CACHE=$(CURDIR)/.cache/checked $(PYTEST_SHARED) tests/kernels

# The long forms of tests that crash things; PHUSONG_SEED=… repeats one.
torture: setup debian
	$(BIN)/python -m pytest -q -rP -m torture tests
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q tests/kernels

# ARGS=recovery: how long a start takes with a day of a million SIMs. ARGS=latency: from a reading to its decision. ARGS=reverify:
# how fast a journal is verified again.
bench: setup debian
	$(BIN)/python bench/$(or $(filter recovery latency reverify,$(ARGS)),run).py

proto: setup
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=proto --pyi_out=proto --grpc_python_out=proto $(PROTO)

demo: setup
	$(BIN)/phusong demo $(ARGS)

# Prometheus with our rules beside a demo that runs in another terminal; ARGS=DIR is its folder.
watch: setup debian
	$(BIN)/python -m phusong.dashboards.commands.watch $(ARGS)

# dashboards/grafana from their source, dashboards/boards.
dashboards: setup
	$(BIN)/python -m phusong.dashboards.boards dashboards/grafana

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra otel --group dev pyproject.toml -o requirements.lock
	echo "uv" | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes - -o uv.lock.txt

# The long form of tests/simulation: writes docs/calibration.md and its picture. PHUSONG_SEED=… draws other hamlets.
calibrate: setup
	$(BIN)/python tests/simulation/calibrate.py
