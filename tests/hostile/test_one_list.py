"""One list of credentials serves models, telemetry and logs."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import chain
from typing import Any

import pytest

from nodespan.telemetry._values import credentials as of_telemetry
from nodespan.telemetry._values.commands import credentials_in_command
from nodespan.telemetry._values.credential_shapes import BY_MARK
from nodespan.telemetry._values.plain import Reader

LIST = "credentials.json"


@pytest.mark.parametrize("name", ["credentials.py", "credential_shapes.py", LIST])
def test_it_is_the_same_in_models_and_in_telemetry(name: str) -> None:
    """Packages that do not know each other carry one file; who changes one copies it over."""
    model = files("nodespan.model") / "_custom" / name
    telemetry = files("nodespan.telemetry") / "_values" / name
    assert model.read_bytes() == telemetry.read_bytes()


def test_it_names_its_sources() -> None:
    """Each shape says where it comes from; each source has a version or is ours, and a licence."""
    told = json.loads((files("nodespan.telemetry") / "_values" / LIST).read_text("utf-8"))
    sources = {source["name"]: source for source in told["sources"]}
    assert {shape["source"] for shape in told["shapes"]} == sources.keys()
    assert {source["licence"] for source in sources.values()} == {"Apache-2.0"}
    assert sources["detect-secrets"]["version"]


def test_each_shape_is_compiled_and_has_its_hint() -> None:
    """A shape is tried only where its hint is in the text: what it finds must hold the hint."""
    told = json.loads((files("nodespan.telemetry") / "_values" / LIST).read_text("utf-8"))
    known = {each.pattern for each in chain(*BY_MARK.values())}
    assert known == {shape["pattern"] for shape in told["shapes"]}
    for shape in told["shapes"]:
        re.compile(shape["pattern"])
        letters = [mark for mark in shape["hint"] if mark.isalnum()]
        assert all(mark in shape["pattern"] for mark in letters), shape["id"]
        assert shape.get("mark", "") in shape["pattern"], shape["id"]


NAMES = (
    *(
        "password",
        "db_pwd",
        "pw",
        "smtp_pass",
        "x-api-key",
        "X-Goog-Api-Key",
        "my_key",
        "privateKey",
        "service_key",
    ),
    *(
        "GITHUB_PAT",
        "conn_str",
        "hmackey",
        "sslkey",
        "PHPSESSID",
        "Cookie",
        "Set-Cookie",
        "Proxy-Authorization",
        "jwt",
    ),
    *(
        "SENTRY_DSN",
        "auth_token",
        "clientSecret",
        "connectionString",
        "passphrase",
        "sessionToken",
        "signature",
    ),
)
NO_NAMES = (
    *(
        "eos_token",
        "pad_token",
        "max_tokens",
        "token_count",
        "tokenizer",
        "keyboard",
        "monkey",
        "keyword",
        "primary_key",
    ),
    *(
        "cache_key",
        "public_key",
        "arrow_key",
        "shortcut_key",
        "s3_key",
        "secretary",
        "secretariat",
        "cookiecutter",
        "author",
    ),
    *(
        "oauth_enabled",
        "passage",
        "compass",
        "passed",
        "designer",
        "zip_code",
        "status_code",
        "connections",
        "credits",
    ),
    *("pattern", "path", "spawn", "token_type"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_credential(name: str) -> None:
    """In whatever spelling."""
    assert of_telemetry.is_credential_key(name)


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_sounds_like_one(name: str) -> None:
    """Of a tokenizer, of data or of people."""
    assert not of_telemetry.is_credential_key(name)


COMMANDS_TEXTS = [
    *("http -a u:%s h", "https --auth 'u:%s' GET h", "xh -a u:%s h", "http GET h -a=u:%s"),
    *("smbclient -U u^%s //h/s", "smbclient //h/s -U 'd\\u^%s'", "rpcclient -Uu^%s h"),
    *("smbclient --user=u^%s //h/s", "net -U u^%s ads join", "winexe -U u^%s //h cmd"),
    *("ssh-keygen -t rsa -N %s -f k", "ssh-keygen -N '%s'", "ssh-keygen -p -P %s -N %s -f k"),
    *("7z a -p%s a.7z f", "zip -P %s a.zip f", "unzip -P %s a.zip", "unrar x -p%s a.rar"),
    *("rar a -hp%s a.rar", "openssl enc -k %s", "sqlcmd -S h -U sa -P %s", "bcp d out f -P%s"),
    *("mosquitto_pub -u u -P %s -t t", "lftp -u u,%s h", "snmpget -A %s -X %s h"),
    *("htpasswd -b f u %s", "htpasswd -nb u %s", "net user bob %s /add"),
    *("az login -u u -p %s", "helm registry login h -u u -p %s", "oc login -u u -p %s h"),
    *("kubectl create secret generic x --from-literal=a=%s", "skopeo login -p %s h"),
    *('["curl","-u","u:%s"]', "['curl', '-s', '-u', 'u:%s', 'h']", '["curl", "--user", "u:%s"]'),
]
SQL_TEXTS = [
    *("CREATE USER u IDENTIFIED BY '%s'", 'create user u identified by "%s"'),
    *("ALTER USER u WITH PASSWORD '%s';", "CREATE ROLE u LOGIN PASSWORD '%s'"),
    *("CREATE USER u IDENTIFIED WITH mysql_native_password BY '%s'", "IDENTIFIED BY N'%s'"),
    *("SET PASSWORD FOR u = PASSWORD('%s')", "ALTER USER u ENCRYPTED PASSWORD '%s'"),
    *("CREATE USER u IDENTIFIED BY %s", "IDENTIFIED BY PASSWORD '%s'", "set password = '%s'"),
    *("GRANT ALL ON *.* TO u IDENTIFIED BY '%s'", "CREATE USER u PASSWORD '%s'"),
    *("CREATE DATABASE LINK l CONNECT TO u IDENTIFIED BY %s USING 'x'", "identified by '%s'"),
    *("alter user u with password '%s'", "create user u password '%s'", "login password '%s'"),
]
BLOCK_TEXTS = [
    *("db:\n  user: bob\n  password: %s\n  port: 1", "[db]\nuser = 'bob'\npassword = '%s'"),
    *("password: |\n  %s\nport: 1", "password: >-\n\n    %s\n    %s\nport: 1", "api_key: |+\n  %s"),
    *("password:\n  %s\n", "token: &a %s", "api_key: !!str %s", "- password: %s"),
    *("- name: password\n  value: %s", '- name: "DB_PASSWORD"\n  value: "%s"\n'),
    *("name: api_key\nvalue: %s", 'password = """\n%s\n"""\nport = 1', "password = '''%s'''"),
]
TEXTS = [
    *(text.replace("^", "%%") for text in COMMANDS_TEXTS),
    *SQL_TEXTS,
    *BLOCK_TEXTS,
    *(
        "password: %s",
        "the password is %s",
        "API key is: %s",
        "pw=%s",
        "token = %s",
        "Cookie: a=%s",
    ),
    *("<password>%s</password>", "<apiKey>%s</apiKey>", "export OPENAI_API_KEY=%s", "--api-key %s"),
    *('{"key":"DB_PASSWORD","value":"%s"}', '{"key":"DB_PASSWORD2","value":"%s"}'),
    *('("Authorization", "%s")', "postgres://u:a#%s@h", "redis://:%s@h:6379/0", "x = %s&key=%s"),
    *("Server=h;User Id=u;Password=%s;", "https://h/?api_key=%s&a=1", "password := %s"),
    *("curl -u me:%s h", "curl -s 'h' --user 'me:%s' -o x", "curl -ume:%s h", "curl -U :%s h"),
    *("curl -X POST \\\n  -H 'A: b' \\\n  -u \"me:%s 1\" h", "curl --proxy-user u:%s h"),
    *("sshpass -p %s ssh u@h", "sshpass -p'%s' scp a b", "default login u password %s"),
    *("machine h login u password %s", "machine h\n\tlogin u\n\taccount a\n\tpassword %s\n"),
    *("machine h password %s login u", "mysqldump -u u -p%s db", "mariadb -h h -p'%s'"),
    *("mongosh h -u u -p %s", "redis-cli -h h -a %s ping", "ldapsearch -x -w %s -b b"),
    *("docker login -u me -p %s h", "tool --password %s", "tool --token %s", "sso --token='%s'"),
    *('<add key="password" value="%s"/>', "<p name='api_key'\n  value='%s'>", "ya29 token=%s"),
    *("AWS_SESSION_TOKEN=%s", "aws_session_token = %s", "Set-Cookie: sid=%s; Path=/"),
]
NO_TEXTS = [
    *("http -a user h", "http -v GET h:80", "smbclient -U u //h/s", "smbclient -N //h/s"),
    *("http://h:80 -a b", "xh GET h:80", "net use //h/s", "net -U u share", "net user bob /delete"),
    *("ssh-keygen -t rsa -b 4096 -f k1", "ssh-keygen -N '' -f k1", 'ssh-keygen -N "" -f k1'),
    *("7z x a.7z -o/tmp/x1", "zip -r a.zip f1", "unzip -p a.zip f1", "rar a a.rar f1"),
    *("gzip -P a1", "az account show -p x1", "helm install -p x1", "mosquitto_sub -t t1"),
    *('["curl","-u","me"]', '["curl", "-X", "GET", "a:b1"]', '["sort","-u","a:b1"]'),
    *("tool --password-file /run/pw1", "--password-file=/run/secrets/db1", "PASSWORD_FILE=/run/p1"),
    *("docker login --password-stdin h1", "--api-key-file k1.txt", "--private-key-file /k1.pem"),
    *("--credentials-file /c1.json", "password_file: /run/pw1", "--password-length 12"),
    *("token_path: /run/t1", "secretsDir = /run/s1", "passwordFile: /run/p1"),
    *("the password 'policy' matters", "identified by number 12", "WITH PASSWORD"),
    "It was IDENTIFIED BY the police in 2020.",
    *("password:\n  type: string\n  minLength: 8", "password: |\n", "password:\n  - a1"),
    *("password:\nport: 1", "name: title\nvalue: a1b2c3d4e5", "type: password\nlabel: a1b2c3d4"),
    *("time to first token: 0.123s", "primary key: user_id1", "Secretary: Ms Smith2020"),
    *("the password is required", "the token is invalid", "password={{password}}", "key: value"),
    *(
        "max_tokens: 100",
        "eos_token: </s>",
        "keyboard: qwerty123",
        "author: Jane1811",
        "<key>a</key>",
    ),
    *("http://127.0.0.1:8080/v1", "git@github.com:a/b.git", "api_key: str", "<code>x</code>"),
    *("sk-learn is a library", "hf_hub_download(repo)", "status code: 404", "connection: close"),
    *("curl -u https://h/", "curl -u https://h:80/a", "curl -u me h:80", "curl h:80 -o x:y"),
    *("curl --user-agent 'a:b1' h", "curl --url h:1", "git push -u origin HEAD:main"),
    *("docker run -u 1000:1000 i", "sort -u a:b", "echo curl | cat -u a:b", "libcurl -u a:b"),
    *("serve -p 8080", "tar -p -xf a.tar", "mkdir -p /a/b1", "ssh -p 2222 u@h", "docker ps -a"),
    *("mysql -p -u root", "mysql -P 3306 -h h", "docker run --name mysql -p3306:3306 mysql:8"),
    *("redis-cli -p 6379 ping", "docker login h", "sshpass -f file ssh h", "sshpass -e ssh h"),
    *('<input name="name" value="a1b2c3d4e5">', '<add key="Timeout" value="30"/>'),
    *("password policy is strict", "the machine is down", "machine learning password manager"),
    *("session_id=0a1b2c3d4e5f6a7b", "session_id: 0a1b2c3d", '{"session_id": "0a1b2c3d4e5f"}'),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_with_a_credential(text: str) -> None:
    """It is hidden, and nothing else."""
    secret = "planted7x9planted"  # noqa: S105 - planted
    hidden = of_telemetry.without_credentials(text.replace("%s", secret).replace("%%", "%"))
    assert secret not in hidden.replace("x = planted7x9planted", "")
    assert "REDACTED" in hidden


@pytest.mark.parametrize("text", NO_TEXTS)
def test_a_text_that_sounds_like_one(text: str) -> None:
    """It stays as it is."""
    assert of_telemetry.without_credentials(text) == text


@pytest.mark.parametrize("text", BLOCK_TEXTS)
def test_the_lines_around_a_credential_stay(text: str) -> None:
    """What stands above and below it is still told."""
    hidden = of_telemetry.without_credentials(text.replace("%s", "planted7x9planted"))
    for line in ("user: bob", "user = 'bob'", "port: 1", "port = 1"):
        assert (line in hidden) == (line in text)


PLANTED = "planted7x9planted"
COMMANDS = [
    (["curl", "-u", f"u:{PLANTED}"], {2}),
    (["/usr/bin/curl", "https://h", "-H", "A: b", "-u", f"u:{PLANTED}"], {5}),
    (["curl", f"--user=u:{PLANTED}"], {1}),
    (["mysql", "-u", "u", f"-p{PLANTED}", "db"], {3}),
    (["docker", "login", "-u", "u", "-p", PLANTED], {5}),
    (["smbclient", "//h/s", "-U", f"u%{PLANTED}"], {3}),
    (["ssh-keygen", "-P", PLANTED, "-N", f"my {PLANTED}"], {2, 4}),
    (["http", "-a", f"u:{PLANTED}", "h"], {2}),
    (["curl", "-u", "me"], set()),
    (["curl", "-X", "GET", "a:b1"], set()),
    (["ssh-keygen", "-N", "", "-f", "k"], set()),
    (["sort", "-u", "a:b1"], set()),
    (["docker", "run", "-u", "1000:1000"], set()),
    (["mysql", "-p"], set()),
    (["curl", 7, None, "-u"], set()),
    (["curl"], set()),
    ([7, "-u", "u:p1"], set()),
    ([], set()),
]


@pytest.mark.parametrize(("command", "hidden"), COMMANDS, ids=str)
def test_a_command_that_is_a_list(command: list[Any], hidden: set[int]) -> None:
    """Its arguments are told as in one text, and the others stay."""
    assert credentials_in_command(command) == hidden
    told: Any = Reader(10_000).read({"command": command, "again": tuple(command)})
    expected = ["REDACTED" if at in hidden else each for at, each in enumerate(command)]
    assert told == {"command": expected, "again": expected}


_RANDOM = "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8U9v0"
_HEX = "a1b2c3d4" * 8
TOKENS = [
    *(f"glpat-{_RANDOM[:20]}", f"sk_live_{_RANDOM[:24]}", f"gsk_{_RANDOM}", f"npm_{_RANDOM[:36]}"),
    *(
        f"xai-{_RANDOM}",
        f"xoxb-123456789012-1234567890123-{_RANDOM[:24]}",
        f"SG.{_RANDOM[:22]}.{_RANDOM}",
    ),
    *(
        f"AIzaSy{_RANDOM[:33]}",
        f"dop_v1_{_HEX}",
        f"figd_{_RANDOM}",
        f"PMAK-{_HEX[:24]}-{_HEX[:34]}",
    ),
    *(f"sbp_{_HEX[:40]}", f"pscale_tkn_{_RANDOM}", f"dp.pt.{_RANDOM}", f"pul-{_HEX[:40]}"),
    *(
        f"csk-{_RANDOM}",
        f"jina_{_RANDOM}",
        f"e2b_{_HEX[:40]}",
        f"sk_{_HEX[:48]}",
        f"CFPAT-{_RANDOM}",
    ),
    *(
        f"https://hooks.slack.com/services/T00000000/B00000000/{_RANDOM[:24]}",
        f"secret_{_RANDOM}abc",
    ),
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{_RANDOM}\n-----END PGP PRIVATE KEY BLOCK-----",
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:12])
@pytest.mark.parametrize("around", ["%s", "use %s.", "a='%s'", "(%s)", '["%s"]', "a\n%s\nb"])
def test_a_token_is_known_by_its_shape(token: str, around: str) -> None:
    """Whatever it stands in."""
    hidden = of_telemetry.without_credentials(around.replace("%s", token))
    middle = len(token) // 2
    assert token[middle : middle + 8] not in hidden
