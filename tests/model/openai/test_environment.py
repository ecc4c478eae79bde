"""What the environment says of proxies and certificates is used, or refused by its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.hostile import HostileServer, says

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

_CALL = """
import sys
from nodespan.model import ModelError, OpenAICompatibleChatModel
try:
    model = OpenAICompatibleChatModel(base_url=sys.argv[1], model_name="m", max_retries=0)
    print("said", model.invoke("Hi").text)
except ModelError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def run(
    run_program: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Call a model in a process of its own, since certificates are loaded once a process."""
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)

    def call(url: str, **environment: str) -> str:
        done = run_program(_CALL, url, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return call


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_is_used_for_this_machine(run: Callable[..., str], host: str) -> None:
    """A server here is reached, whatever proxy the environment names."""
    with HostileServer([says("Hi")]) as server:
        url = server.url.replace("127.0.0.1", host)
        proxies = dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
        assert run(url, **proxies) == "said Hi"


def test_a_proxy_is_used_for_others(run: Callable[..., str]) -> None:
    """What is elsewhere goes by way of the proxy, which here is not running."""
    told = run("http://models.example/v1", ALL_PROXY="http://127.0.0.1:9")
    assert told.startswith("ModelConnectionError")


def test_a_proxy_whose_package_is_missing_is_named(run: Callable[..., str]) -> None:
    """The error says which variable, and what to install."""
    told = run("http://models.example/v1", ALL_PROXY="socks5://user:secret@127.0.0.1:9")
    assert told.startswith("MissingExtraError")
    assert "ALL_PROXY" in told
    assert "httpx[socks]" in told
    assert "secret" not in told


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:9", "ftp://127.0.0.1"])
def test_a_proxy_that_is_none_is_named(run: Callable[..., str], proxy: str) -> None:
    """So is one of another kind."""
    told = run("http://models.example/v1", HTTPS_PROXY=proxy)
    assert told.startswith("BadRequestError")
    assert "HTTPS_PROXY" in told


def test_certificates_that_are_missing_are_named(run: Callable[..., str]) -> None:
    """The error says which variable names them."""
    told = run("https://models.example/v1", SSL_CERT_FILE="/nowhere/certificates.pem")
    assert told.startswith("BadRequestError")
    assert "SSL_CERT_FILE='/nowhere/certificates.pem'" in told
