"""What the environment says of proxies and certificates is used, or refused by its name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.hostile import HostileServer, says

_CALL = """
import sys
from nodespan.model import ModelError, OpenAICompatibleChatModel
try:
    model = OpenAICompatibleChatModel(base_url=sys.argv[1], model_name="m", max_retries=0)
    print("said", model.invoke("Hi").text)
except ModelError as error:
    print(type(error).__name__, error)
"""


def _run(url: str, **environment: str) -> str:
    """Call a model in a process of its own, since certificates are loaded once a process."""
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [sys.executable, "-c", _CALL, url],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_is_used_for_this_machine(host: str) -> None:
    """A server here is reached, whatever proxy the environment names."""
    with HostileServer([says("Hi")]) as server:
        url = server.url.replace("127.0.0.1", host)
        proxies = dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
        assert _run(url, **proxies) == "said Hi"


def test_a_proxy_is_used_for_others() -> None:
    """What is elsewhere goes by way of the proxy, which here is not running."""
    told = _run("http://models.example/v1", ALL_PROXY="http://127.0.0.1:9")
    assert told.startswith("ModelConnectionError")


def test_a_proxy_whose_package_is_missing_is_named() -> None:
    """The error says which variable, and what to install."""
    told = _run("http://models.example/v1", ALL_PROXY="socks5://user:secret@127.0.0.1:9")
    assert told.startswith("MissingExtraError")
    assert "ALL_PROXY" in told
    assert "httpx[socks]" in told
    assert "secret" not in told


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:9", "ftp://127.0.0.1"])
def test_a_proxy_that_is_none_is_named(proxy: str) -> None:
    """So is one of another kind."""
    told = _run("http://models.example/v1", HTTPS_PROXY=proxy)
    assert told.startswith("BadRequestError")
    assert "HTTPS_PROXY" in told


def test_certificates_that_are_missing_are_named() -> None:
    """The error says which variable names them."""
    told = _run("https://models.example/v1", SSL_CERT_FILE="/nowhere/certificates.pem")
    assert told.startswith("BadRequestError")
    assert "SSL_CERT_FILE='/nowhere/certificates.pem'" in told
