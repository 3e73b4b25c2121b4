"""The service, the broker and the network of a history: started, killed, cut, and asked at the end."""

import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from brokers import CAREFUL, Mosquitto
from faults import slow_disk
from faults.proxy import FaultProxy
from history.answers import Answers, Sums
from history.devices import SITES_CSV, START_MS, TODAY, YESTERDAY
from history.journal import read_envelopes
from history.record import Record
from prometheus_client.parser import text_string_to_metric_families

from running import Served, phusong, serving

CAUGHT_UP_TIMEOUT_S = 120  # of a verifier that may have kernels to compile
BROKER_CLIENT_ID = "phusong-history"


class World:
    """Use it with `async with`. Every road leads through a proxy of its own."""

    def __init__(self, folder: Path, record: Record, seed: int) -> None:
        self.data = folder / "data"
        self.counts: Counter[str] = Counter()
        self.last_start_sequence = 0
        self.broker = Mosquitto(folder, *CAREFUL)
        self._folder = folder
        self._record = record
        self._seed = seed
        self._began_s = time.monotonic()
        self._served: Served | None = None
        self._life = None  # the context in which a service runs
        self._stack = AsyncExitStack()

    async def __aenter__(self):
        self.data.mkdir()
        sites = self._folder / "sites.csv"
        sites.write_text(SITES_CSV)
        await asyncio.to_thread(self.broker.start)
        self.proxies = {}
        # The collector waits longer after each lost connection, so its own road to the broker fails less often.
        for name, share in (("mqtt", 0.5), ("grpc", 0.5), ("devices", 0.5), ("broker", 0.2)):
            port = self.broker.port if name in {"devices", "broker"} else 1
            proxy = FaultProxy(port, f"{name} {self._seed}", share)
            self.proxies[name] = await self._stack.enter_async_context(proxy)
        self._configure(1024)
        await self.start()
        await self._broker_is_read()
        await asyncio.to_thread(phusong, "registry", "add", "sites", sites, "--data", self.data)
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()
        await asyncio.to_thread(self._end)
        await asyncio.to_thread(self.broker.stop)

    @property
    def journal(self) -> Path:
        return self.data / "journal"

    async def start(self) -> None:
        """Start the service; its clock goes on where it would be."""
        self.last_start_sequence = max(
            (envelope.sequence for envelope in read_envelopes(self.journal)), default=0
        )
        since_s = time.monotonic() - self._began_s
        now = dt.datetime.fromtimestamp(START_MS / 1000 + since_s, dt.UTC)
        clock = ("--clock-start", now.isoformat(timespec="milliseconds"))
        config = ("--config", self._folder / "phusong.toml")
        command = (sys.executable, slow_disk.__file__)
        self._life = serving(self.data, *config, *clock, command=command)
        entering = asyncio.create_task(asyncio.to_thread(self._life.__enter__))
        try:
            self._served = await asyncio.shield(entering)
        finally:  # also when the test gives up: what is starting has to be ended
            await asyncio.wait([entering])
        self.proxies["mqtt"].target_port = self._served.mqtt_port
        self.proxies["grpc"].target_port = self._served.grpc_port

    async def kill(self) -> None:
        """End the service as a power cut does; its verifier notices and goes too."""
        self.counts["service killed"] += 1
        self._served.process.kill()
        await asyncio.to_thread(self._end)

    async def stop(self) -> None:
        """End the service as an administrator does."""
        self.counts["service stopped"] += 1
        status = await asyncio.to_thread(self._served.stop)
        assert status == 0, (self._folder / "data.stderr").read_text()
        await asyncio.to_thread(self._end)

    async def reload(self, number: int) -> None:
        """Change settings under load: the road to the broker begins anew, and each source's rate."""
        self.counts["service reloaded"] += 1
        errors = self._folder / "data.stderr"
        before = errors.read_text().count('"event": "reloaded"')
        self._configure(number)
        self._served.process.send_signal(signal.SIGHUP)
        for _ in range(CAUGHT_UP_TIMEOUT_S * 10):
            if errors.read_text().count('"event": "reloaded"') > before:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the service does not reload")

    async def kill_broker(self) -> None:
        """What it acknowledged in its last seconds may be gone: the record has to know when it was."""
        self.counts["broker killed"] += 1
        self._record.broker_kills_s.append(time.monotonic())
        self.broker.process.kill()
        await asyncio.to_thread(self.broker.stop)

    async def signal_verifier(self, number: int) -> int:
        """Return the verifier that was told; wait for it while one is starting."""
        command = ("pgrep", "-P", str(self._served.process.pid), "-f", "spawn_main")
        for _ in range(CAUGHT_UP_TIMEOUT_S * 10):
            found = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, check=False
            )
            for pid in found.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), number)
                    return int(pid)
            await asyncio.sleep(0.1)
        raise AssertionError("there is no verifier")

    def cut_all(self) -> None:
        self.counts["cut at once"] += sum(proxy.cut_all() for proxy in self.proxies.values())

    def calm(self) -> None:
        for proxy in self.proxies.values():
            proxy.calm()

    def metrics(self) -> Sums:
        """Return every metric summed by operator ("" where it has none)."""
        url = f"http://127.0.0.1:{self._served.http_port}/metrics"
        with urllib.request.urlopen(url) as response:
            text = response.read().decode()
        sums: Sums = defaultdict(lambda: defaultdict(float))
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                sums[sample.name][sample.labels.get("operator", "")] += sample.value
        return sums

    async def answers(self) -> Answers:
        """Stop the service once the verifier has caught up, and ask every command."""
        metrics = await self.settle()
        await self.stop()
        reports = {name: ("quota", "--day", name) for name in (TODAY, YESTERDAY)}
        reports |= {"coverage": ("coverage",), "stat": ("journal", "stat")}
        asked = [asyncio.to_thread(self._report, name, reports[name]) for name in reports]
        documents = dict(zip(reports, await asyncio.gather(*asked), strict=True))
        report = self._folder / f"{TODAY}.json"
        command = ("audit", "verify", self.data, "--report", report)
        audit = await asyncio.to_thread(phusong, *command, status=None)
        return Answers(
            envelopes=list(read_envelopes(self.journal)),
            last_start_sequence=self.last_start_sequence,
            metrics=metrics,
            stat=documents["stat"],
            quota={day: documents[day] for day in (TODAY, YESTERDAY)},
            coverage=documents["coverage"],
            audit="" if audit.status == 0 else audit.out + audit.err,
        )

    async def settle(self) -> Sums:
        """Return the metrics when nothing is left to be judged."""
        deadline_s = time.monotonic() + CAUGHT_UP_TIMEOUT_S
        before = None
        while True:
            metrics = await asyncio.to_thread(self.metrics)
            sequence = metrics["phusong_journal_sequence"][""]
            is_judged = metrics["phusong_verifier_applied_sequence"][""] == sequence
            # The second time: decisions are frames too, and come after what led to them.
            if is_judged and before == sequence:
                return metrics
            before = sequence if is_judged else None
            assert time.monotonic() < deadline_s, "the verifier does not catch up"
            await asyncio.sleep(0.5)

    async def _broker_is_read(self) -> None:
        """Return when there is a subscription: what comes before one, a broker acknowledges and drops."""
        for _ in range(CAUGHT_UP_TIMEOUT_S * 10):
            metrics = await asyncio.to_thread(self.metrics)
            if metrics["phusong_broker_connected"][""]:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the service does not read the broker")

    def _configure(self, number: int) -> None:
        (self._folder / "phusong.toml").write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {self.proxies["broker"].port}\n'
            f'client_id = "{BROKER_CLIENT_ID}"\nreceive_max = {number}\n'
            f"[limits]\nbytes_per_s_per_source = {number << 20}\n"
        )

    def _report(self, name: str, command: tuple[str, ...]) -> Any:
        ran = phusong(*command, "--data", self.data, "--format", "json", status=None)
        assert ran.status in {0, 3}, ran
        (self._folder / f"{name}.json").write_text(ran.out)
        return ran.document

    def _end(self) -> None:
        if self._life is not None:
            self._life.__exit__(None, None, None)
            self._life = None


def resume(pid: int) -> None:
    """Let a stopped process go on, where it still is."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
