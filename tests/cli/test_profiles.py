"""Profiles choose the service, the account and the source of the token by name."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from norce_order_async.cli.connection import Connection
from norce_order_async.cli.profiles import Profile
from norce_order_async.sandbox import Sandbox

from .inside import inside
from .shop import TOKEN, Shop, shop
from .terminal import Ran


@pytest.fixture(scope="module")
def here() -> Iterator[Shop]:
    with shop(60) as opened:
        yield opened


def with_profiles(folder: Path, text: str, *arguments: str, **env: str) -> Ran:
    file = folder / "norce-order" / "config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return inside(*arguments, env={"XDG_CONFIG_HOME": str(folder), **env})


def profile(here: Shop, *lines: str, channel: str = "se") -> str:
    connected = [f'base_url = "{here.sandbox.base_url}"', 'merchant = "demo"', f'channel = "{channel}"']
    return "\n".join(["[profiles.shop]", *connected, *lines])


def test_a_profile_replaces_all_variables(here: Shop, tmp_path: Path) -> None:
    """A profile ignores an adapter id, a channel or an address of another account in the environment."""
    left = {"NORCE_BASE_URL": "http://127.0.0.1:9", "NORCE_ADAPTER_ID": "other", "NORCE_CHANNEL": "no"}
    text = profile(here)
    ran = with_profiles(tmp_path, text, "list", "--limit", "2", "--profile", "shop", **left, NORCE_TOKEN=TOKEN)
    assert ran.code == 0, ran.err
    asked = here.sandbox.requests[-1]
    assert (asked.headers["x-channel"], asked.headers.get("x-adapterid")) == ("se", None)
    by_variable = with_profiles(tmp_path, text, "list", **left, NORCE_TOKEN=TOKEN, NORCE_PROFILE="shop")
    assert by_variable.code == 0


def test_an_option_overrides_the_profile(here: Shop, tmp_path: Path) -> None:
    ran = with_profiles(tmp_path, profile(here), "list", "--profile", "shop", "--channel", "dk", NORCE_TOKEN=TOKEN)
    assert ran.code == 0, ran.err
    assert here.sandbox.requests[-1].headers["x-channel"] == "dk"


def test_variables_that_name_a_service_override_the_default(here: Shop, tmp_path: Path) -> None:
    text = f'default = "shop"\n{profile(here, channel="dk")}'
    assert with_profiles(tmp_path, text, "list", NORCE_TOKEN=TOKEN).code == 0
    assert here.sandbox.requests[-1].headers["x-channel"] == "dk"
    assert with_profiles(tmp_path, text, "list", **here.env).code == 0
    assert here.sandbox.requests[-1].headers["x-channel"] == "se"


def test_sources_of_the_token(here: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get_password(service: str, user: str) -> str | None:
        return TOKEN if (service, user) == ("norce", "acme") else None

    keyring = ModuleType("keyring")
    monkeypatch.setattr(keyring, "get_password", get_password, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    printed = f"import sys; sys.stdout.write({TOKEN!r})"
    for line in (
        f"token_command = {json.dumps([sys.executable, '-c', printed])}",
        f"token_command = {json.dumps(shlex.join([sys.executable, '-c', printed]))}",
        'token_keyring = "norce/acme"',
        f"token_file = {json.dumps(str(file))}",
    ):
        ran = with_profiles(tmp_path, profile(here, line), "list", "--profile", "shop", NORCE_TOKEN="wrong")
        assert ran.code == 0, (line, ran.err)
    allowed = f"token_in_file = true\n{profile(here, f'token = {json.dumps(TOKEN)}')}"
    assert with_profiles(tmp_path, allowed, "list", "--profile", "shop").code == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"token_command = [{json.dumps(sys.executable)}, '-c', 'print(\"s3cret\"); exit(3)']", "ended with 3"),
        (f"token_command = [{json.dumps(sys.executable)}, '-c', '']", "printed nothing"),
        ('token_command = "no-such-command"', "no-such-command: FileNotFoundError"),
        ('token_keyring = "norce/acme"', "the package keyring is not installed"),
        ('token_file = "/nowhere/token"', "/nowhere/token: FileNotFoundError"),
    ],
)
def test_a_source_without_a_token(
    here: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, told: str
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    ran = with_profiles(tmp_path, profile(here, line), "list", "--profile", "shop", NORCE_TOKEN=TOKEN)
    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err
    assert "s3cret" not in ran.err
    assert told in with_profiles(tmp_path, profile(here, line), "doctor", "--profile", "shop").out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[profiles.shop]\nmerchnat = 'x'", "profile shop: merchnat is not a setting; did you mean merchant?"),
        ("[profiles.shop]\nmerchant = 5", "merchant must be a text"),
        ("[profiles.shop]\ntoken = 's3cret'", "token_in_file = true"),
        ("[profiles.shop]\ntoken_file = 'a'\ntoken_command = 'b'", "token_file and token_command: give one"),
        ("[profiles.shop]\ntoken_keyring = 'a'", "a service and a user"),
        ("defualt = 'shop'", "defualt is not a setting; did you mean default?"),
        ("default = 'shpo'\n[profiles.shop]", "names no profile; did you mean shop?"),
        ("profiles = 5", "must be tables"),
        ("profiles.shop = 5", "must be a table"),
        ("token = 's3cret", "can't be read: TOMLDecodeError"),
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    ran = with_profiles(tmp_path, text, "list", "--profile", "shop")
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert "s3cret" not in ran.err


def test_an_unknown_profile(here: Shop, tmp_path: Path) -> None:
    ran = with_profiles(tmp_path, profile(here), "list", "--profile", "shp")
    assert ran.code == 2
    assert "did you mean shop?" in ran.err
    assert "there is no profile" in inside("list", "--profile", "shop").err


def test_profiles_are_listed_without_a_token(here: Shop, tmp_path: Path) -> None:
    text = "token_in_file = true\ndefault = 'shop'\n" + profile(here, "token = 's3cret'")
    ran = with_profiles(tmp_path, text, "profiles")
    assert ran.out.splitlines()[1].split() == ["shop", "(default)", here.sandbox.base_url, "demo", "se", "token"]
    as_json = with_profiles(tmp_path, text, "profiles", "--json")
    assert json.loads(as_json.out)["profiles"][0]["default"] is True
    assert "s3cret" not in ran.out + as_json.out
    assert "no profiles" in inside("profiles").err


def test_profiles_as_csv(tmp_path: Path) -> None:
    """The CSV has the requested columns, by the names that the table and the JSON have."""
    text = "default = 'shop'\n[profiles.shop]\nbase_url = 'http://127.0.0.1:1'\nmerchant = '=acme'\n[profiles.no]"
    ran = with_profiles(tmp_path, text, "profiles", "--csv", "--columns", "profile,merchant,channel,default,token_from")
    assert (ran.code, ran.err) == (0, "")
    assert list(csv.reader(io.StringIO(ran.out))) == [
        ["profile", "merchant", "channel", "default", "token_from"],
        ["shop", "'=acme", "", "true", "NORCE_TOKEN"],
        ["no", "", "", "false", "NORCE_TOKEN"],
    ]
    ran = with_profiles(tmp_path, text, "profiles", "--columns", "profile,chanel")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean channel?" in ran.err
    assert (
        with_profiles(tmp_path, "", "profiles", "--csv").out
        == "profile,address,merchant,channel,token_from,default\r\n"
    )


def test_a_long_job_reads_the_source_again(tmp_path: Path) -> None:
    """After a 401 the token's command is run again, because the service may accept another token by then."""
    count = tmp_path / "count"
    script = (
        f"import pathlib; f = pathlib.Path({str(count)!r}); n = f.exists(); f.touch(); print({TOKEN!r} if n else 'old')"
    )
    with Sandbox(token=TOKEN) as sandbox:
        text = profile(Shop(sandbox, {}), f"token_command = {json.dumps([sys.executable, '-c', script])}")
        ran = with_profiles(tmp_path, text, "list", "--profile", "shop")
    assert (ran.code, ran.err) == (0, "no orders match\n")
    assert [request.status for request in sandbox.requests] == [401, 200]


def test_a_command_reads_the_source_once(here: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command reads its token once however many clients it makes, because a read may take a second or need a touch of
    a key."""
    count = tmp_path / "count"
    script = f"open({str(count)!r}, 'a').write('x'); print({TOKEN!r})"
    text = profile(here, f"token_command = {json.dumps([sys.executable, '-c', script])}")
    ran = with_profiles(tmp_path, text, "bulk", "validate", "--all", "--profile", "shop")
    assert (ran.code, count.read_text()) == (3, "x"), ran.err
    count.unlink()
    monkeypatch.setenv("NORCE_TOKEN", "")
    settings = {"base_url": here.sandbox.base_url, "merchant": "demo", "channel": "se"}
    command = json.dumps([sys.executable, "-c", script])
    connection = Connection(settings, profile=Profile("shop", settings, "token_command", json.loads(command)))
    assert connection.recipe().merchant == "demo"
    assert (os.environ["NORCE_TOKEN"], count.read_text()) == (TOKEN, "x")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_that_shell(shell: str) -> None:
    ran = inside("completion", shell)
    assert ran.code == 0
    assert "_NORCE_ORDER_COMPLETE" in ran.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[profiles.shop]\ntoken_command = " "', "token_command must be a command"),
        ("[profiles.shop]\ntoken_command = 'pass \"show'", "token_command must be a command"),
        ('[profiles.shop]\ntoken_command = [""]', "token_command must be a command"),
        ('[profiles.shop]\nmerchant = "a\\u0000b"', "merchant must be a text"),
        ('[profiles.shop]\ntoken_file = "/tmp/a\\u0000b"', "token_file must be a text"),
        ("default = []\n[profiles.shop]", "default must be the name of a profile"),
        ("default = {}\n[profiles.shop]", "default must be the name of a profile"),
        (f"a = {'[' * 100_000}", "can't be read: RecursionError"),
    ],
)
def test_an_impossible_profile_is_refused_before_anything_is_sent(tmp_path: Path, text: str, said: str) -> None:
    ran = with_profiles(tmp_path, text, "get", "o1", "--profile", "shop")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_missing_home_gives_no_token(here: Shop, tmp_path: Path) -> None:
    ran = with_profiles(tmp_path, profile(here, 'token_file = "~no-such-user/token"'), "list", "--profile", "shop")
    assert ran.code == 1
    assert "profile shop: token_file gives no token: " in ran.err


@pytest.mark.parametrize("option", ["--base-url", "--environment", "--slug"])
def test_options_that_name_a_service_override_the_default(here: Shop, tmp_path: Path, option: str) -> None:
    """Options that name a service do not use the default profile, because its token would go to another service."""
    asked = tmp_path / "asked"
    line = f"token_command = {json.dumps(['touch', str(asked)])}"
    text = f'default = "shop"\n{profile(here, line)}'
    named = {"--base-url": here.sandbox.base_url, "--environment": "stage", "--slug": "acme"}[option]
    account = ("--merchant", "demo", "--channel", "se") if option == "--base-url" else ()
    ran = with_profiles(tmp_path, text, "list", option, named, *account, NORCE_TOKEN=TOKEN)
    assert not asked.exists()
    assert ran.code == (0 if option == "--base-url" else 2), ran.err


def test_a_default_that_is_chosen_by_name_takes_options(here: Shop, tmp_path: Path) -> None:
    text = f'default = "shop"\n{profile(here)}'.replace(here.sandbox.base_url, "http://127.0.0.1:9")
    by_name = ("--profile", "shop", "--base-url", here.sandbox.base_url)
    assert with_profiles(tmp_path, text, "list", *by_name, NORCE_TOKEN=TOKEN).code == 0
