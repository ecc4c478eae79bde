"""Credentials are told by their names and by their shapes, and text without any stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.telemetry._values.credentials import is_credential_key, without_credentials

SECRET = "hunter2hunter2"  # noqa: S105 - planted

NAMES = [
    "api_key",
    "apiKey",
    "x-api-key",
    "OPENAI_API_KEY",
    "Ocp-Apim-Subscription-Key",
    "Authorization",
    "proxy-authorization",
    "auth",
    "basic_auth",
    "auth_header",
    "token",
    "access_token",
    "accessToken",
    "hf_token",
    "refresh-token",
    "password",
    "db_password",
    "dbpassword",
    "passwd",
    "passphrase",
    "client_secret",
    "aws_secret_access_key",
    "private_key",
    "session_key",
    "Cookie",
    "Set-Cookie",
    "credentials",
    "connection_string",
    "jwt",
    "dsn",
    "signature",
    "license_key",
    "openai_key",
    "azureKey",
    "passcode",
    "db_creds",
    "key",
    "my_key",
    "service_key",
    "X-Gateway-Key",
    "myKey",
    "db_pass",
]
HARMLESS_NAMES = [
    "model",
    "max_tokens",
    "total_tokens",
    "eos_token",
    "stop_token",
    "tokenizer",
    "pad_token",
    "bos_token",
    "keyboard",
    "monkey",
    "public_key",
    "sort_key",
    "bypass",
    "token_count",
    "author",
    "authors",
    "input_key",
    "cache_key",
    "primary_key",
    "memory_key",
    "prompt_cache_key",
    "session_id",
    "thread_id",
    "top_k",
    "temperature",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_credentials(name: str) -> None:
    """A key that looks like a credential's is one, however it is written."""
    assert is_credential_key(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_harmless_names(name: str) -> None:
    """What counts, limits or identifies is no credential, though it sounds like one."""
    assert not is_credential_key(name)


@pytest.mark.parametrize(
    "text",
    [
        f"https://bob:{SECRET}@host/path",
        f"postgresql://bob:{SECRET}@host/db",
        f"https://{SECRET}@host",
        f"https://host/path?api_key={SECRET}&page=2",
        f"https://host/path?page=2&sig={SECRET}",
        f"https://host/path?X-Amz-Security-Token={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"authorization: {SECRET}",
        f"Bearer {SECRET}",
        f'{{"password": "{SECRET}", "page": 2}}',
        f"{{'api_key': '{SECRET}', 'page': 2}}",
        json.dumps({"payload": json.dumps({"api_key": SECRET})}),
        json.dumps({"a": json.dumps({"b": json.dumps({"token": SECRET})})}),
        f"Settings(api_key='{SECRET}', page=2)",
        f"export OPENAI_API_KEY={SECRET}",
        f'"password": "{SECRET} and no end',
        f'"password": "with \\" a quote {SECRET}"',
        f"my key is sk-proj-{SECRET}",
        f"sk-ant-{SECRET}",
        f"ghp_{SECRET}{SECRET}",
        f"AKIA{'ABCD' * 4}",
        f"eyJhbGciOiJI.eyJ{SECRET}.{SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{SECRET}\n-----END PGP PRIVATE KEY BLOCK-----",
        f"password: {SECRET}",
        f"the db password is here, password : {SECRET}, and more of the page",
        f"x-api-key: {SECRET}",
        f"X-Gateway-Key: {SECRET}",
        f"Cookie: session={SECRET}; other={SECRET}",
        f"Set-Cookie: session={SECRET}; HttpOnly",
        f"token = {SECRET}",
        f"token={SECRET}",
        f"'password' => '{SECRET}'",
        f'api_key: str | None = "{SECRET}"',
        f"Authorization: Token {SECRET}",
        f"Proxy-Authorization: Basic {SECRET}",
        f"--api-key {SECRET} --verbose",
        f"--password={SECRET}",
        f"postgres://user:a#{SECRET}@host/db",
        f"postgres://user:a/b?{SECRET}@host/db",
        f"redis://:{SECRET}@host:1/0",
        f"('Authorization', '{SECRET}')",
        f"[['x', '1'], ['Authorization', '{SECRET}']]",
        f'{{"name": "Authorization", "value": "{SECRET}"}}',
        f'{{"key": "DB_PASSWORD", "value": "{SECRET}"}}',
        json.dumps({"a": json.dumps({"name": "X-Api-Key", "value": SECRET})}),
        f"glpat-{SECRET}{SECRET}",
        f"sk_live_{SECRET}",
        f"rk_test_{SECRET}",
        f"gsk_{SECRET}{SECRET}",
        f"npm_{SECRET}{SECRET}",
        f"xai-{SECRET}{SECRET}",
        f"xoxb-123-{SECRET}",
        f"xapp-1-{SECRET}",
        f"AIza{SECRET}{SECRET}",
        f"ya29.{SECRET}{SECRET}",
        f"GOCSPX-{SECRET}{SECRET}",
        f"SG.{SECRET}.{SECRET}",
        f"https://hooks.slack.com/services/T000/B000/{SECRET}",
        f"https://discord.com/api/webhooks/123456789/{SECRET}{SECRET}",
        f"hf_{SECRET}{SECRET}",
        f"nvapi-{SECRET}{SECRET}",
        f"DefaultEndpointsProtocol=https;AccountKey={SECRET}{SECRET};EndpointSuffix=x",
    ],
)
def test_credentials_in_text(text: str) -> None:
    """A credential in the middle of a text is replaced, and the rest of the text stays."""
    told = without_credentials(text)
    assert SECRET not in told
    assert "ABCDABCDABCD" not in told
    assert "REDACTED" in told
    if "page" in text:
        assert "page" in told


@pytest.mark.parametrize(
    "text",
    [
        "What is the token limit? It is: 'large'.",
        "the bearer documents are here",
        "see https://example.com/a?page=2#top, and mail bob@example.com",
        '{"name": "Bob", "max_tokens": 7, "text": "key: value"}',
        "risk-free task-oriented desk-bound",
        "x = y; key = 3",
        "the cache_key: user-1 and eos_token = </s>, pad_token: [PAD]",
        "max_tokens: 100, top_k=3",
        "def call(password: str, token: str | None) -> None",
        "Token::new() == token == other",
        "['name', 'title', 'token_count']",
        '{"name": "city", "value": "Bern"}',
        "sk-learn, task-force and hf_ are words; gh is not ghp_",
        "http://127.0.0.1:8080/@user/page?x=1",
        "password: {password}, token=${TOKEN}",
        "monkey: banana123, keyboard=qwertz12",
        "node:0b1c2d3e-aaaa-bbbb-cccc-0123456789ab",
    ],
)
def test_other_text_is_untouched(text: str) -> None:
    """Text that only speaks of tokens, keys and bearers stays as it is."""
    assert without_credentials(text) == text


@given(st.sampled_from([*NAMES, *HARMLESS_NAMES]), st.text(max_size=40))
def test_json_stays_json(name: str, value: str) -> None:
    """A credential is taken out of JSON such that it can still be read."""
    told = json.loads(without_credentials(json.dumps({name: value, "other": [1, {"a": value}]})))
    assert set(told) == {name, "other"}
    if is_credential_key(name):
        assert told[name] in ("REDACTED", value if len(json.dumps({name: value})) < 12 else None)


@given(st.text(alphabet="sk-?&=:/\"'\\ eyJ.token bearer@\n", max_size=400))
def test_any_text_is_taken(text: str) -> None:
    """No text is too strange to be looked through, and to look twice changes nothing more."""
    once = without_credentials(text)
    assert without_credentials(once).count("REDACTED") >= once.count("REDACTED")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    ["a", "://a", "eyJ-", 'a="', 'a=\\"', "authorization ", "?a&", "bearer ", "key:", "key = ",
     "-----BEGIN ", "\"'", "sk-", "password='"],
)  # fmt: skip
def test_no_text_is_looked_through_twice(piece: str) -> None:
    """A megabyte that trips each pattern over and over ends: a square of it would not."""
    text = piece * (1_000_000 // len(piece))
    assert without_credentials(text)
