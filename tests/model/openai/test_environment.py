"""What the environment says of proxies and certificates is used, or refused by its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nodespan.model import ModelError, OpenAICompatibleChatModel
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


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Call a model where the environment says so, and return what it or its error says."""

    def call(url: str, **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        try:
            with OpenAICompatibleChatModel(base_url=url, model_name="m", max_retries=0) as model:
                return f"said {model.invoke('Hi').text}"
        except ModelError as error:
            return f"{type(error).__name__} {error}"

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


def test_certificates_that_are_missing_are_named(
    run_program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """The error says which variable names them; a process loads certificates once."""
    told = run_program(
        _CALL, "https://models.example/v1", SSL_CERT_FILE="/nowhere/certificates.pem"
    ).stdout
    assert told.startswith("BadRequestError")
    assert "SSL_CERT_FILE='/nowhere/certificates.pem'" in told
