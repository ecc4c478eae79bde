"""Prometheus as a server of its own, on 127.0.0.1, that scrapes one target.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCRAPE_INTERVAL: Final = 0.2
_SECONDS: Final = 30

_CONFIG: Final = """
global:
  scrape_interval: {interval}ms
  scrape_timeout: {interval}ms
scrape_configs:
  - job_name: nodespan
    metrics_path: {path}
    static_configs:
      - targets: ["{target}"]
"""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that runs.

    Attributes:
        address: host and port of its API.
    """

    address: str

    def vector(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return what an expression gives now: values by their labels."""
        status, body = self._get("/api/v1/query", query=query)
        assert status == HTTPStatus.OK, (query, body)
        answer = json.loads(body)
        return {
            tuple(sorted(sample["metric"].items())): float(sample["value"][1])
            for sample in answer["data"]["result"]
        }

    def value(self, query: str) -> float:
        """Return the only value that an expression gives; 0 where it gives none."""
        values = list(self.vector(query).values())
        assert len(values) <= 1, (query, values)
        return values[0] if values else 0.0

    def wait_until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + _SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not so after {_SECONDS} s")
            time.sleep(SCRAPE_INTERVAL / 2)

    def is_ready(self) -> bool:
        """Say whether it answers."""
        try:
            status, _ = self._get("/-/ready")
        except ConnectionError:
            return False
        return status == HTTPStatus.OK

    def _get(self, path: str, **parameters: str) -> tuple[int, bytes]:
        connection = HTTPConnection(self.address, timeout=_SECONDS)
        try:
            connection.request("GET", f"{path}?{urlencode(parameters)}")
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextmanager
def run_prometheus(command: str, folder: Path, scrape_url: str) -> Iterator[Prometheus]:
    """Run the `prometheus` *command* in an empty *folder*, scraping one URL."""
    target = urlsplit(scrape_url)
    config = _CONFIG.format(
        interval=round(SCRAPE_INTERVAL * 1000), path=target.path, target=target.netloc
    )
    (folder / "prometheus.yml").write_text(config)
    address = f"127.0.0.1:{_free_port()}"
    arguments = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([command, *arguments], stdout=log, stderr=subprocess.STDOUT)
    try:
        prometheus = Prometheus(address)
        prometheus.wait_until(prometheus.is_ready, (folder / "log").read_text)
        yield prometheus
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
