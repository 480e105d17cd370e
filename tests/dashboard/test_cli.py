"""The frame of the command line: exit codes, error texts, where output goes."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dashboard.commands import terminal, version

NOWHERE = "no-such-folder"


def test_version_is_that_of_the_project_file(rapport, repository):
    declared = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    assert rapport("version", "--json").json["rapport"] == declared
    assert declared in rapport("version").out


@pytest.mark.parametrize(
    "command", ["run", "refresh", "query", "check", "init", "sources", "demo", "version"]
)
def test_every_command_takes_a_project_and_a_store(rapport, command):
    help_text = rapport(command, "--help").out
    assert "--project" in help_text
    assert "--store" in help_text


def test_an_unknown_command_cannot_run(rapport):
    done = rapport("reffresh")
    assert done.code == 2
    assert "reffresh" in done.err


@pytest.mark.parametrize("command", [("refresh",), ("sources",), ("query", "orders"), ("run",), ("check",)])
def test_a_project_that_is_not_there_cannot_run(rapport, tmp_path, command):
    done = rapport(*command, "--project", tmp_path / NOWHERE)
    assert done.code == 2
    assert NOWHERE in done.err
    assert done.out == ""


def test_nothing_loaded_yet_says_what_to_do(rapport, tmp_path):
    rapport("init", tmp_path / "shop")
    done = rapport("sources", "--project", tmp_path / "shop")
    assert done.code == 2
    assert "Run `rapport refresh`" in done.err


def test_an_unexpected_fault_goes_to_the_log_under_an_id(rapport, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        message = "cannot reach postgresql://anna:canary@db/shop"
        raise RuntimeError(message)

    monkeypatch.setattr(version, "print_version", broken)
    done = rapport("version")
    assert done.code == 2
    assert "Traceback" not in done.err
    number, log = re.fullmatch(
        r"rapport: unexpected fault (\w{8})\. The details are in (.+)\n", done.err
    ).groups()
    written = Path(log).read_text(encoding="utf-8")
    assert number in written
    assert "RuntimeError" in written
    assert "canary" not in written


def test_json_keeps_every_digit(capsys):
    from datetime import date
    from decimal import Decimal

    terminal.show_json({"amount": Decimal("0.1000"), "on": date(2026, 5, 1), "name": "Zo\u00eb \u674e"})
    out = capsys.readouterr().out
    assert '"0.1000"' in out
    assert '"2026-05-01"' in out
    assert "Zo\u00eb \u674e" in out


def test_a_pipe_gets_no_progress_bar(rapport, tmp_path):
    done = rapport("demo", tmp_path / "shop", "--customers", 50, "--months", 6)
    assert done.code == 0
    assert done.err == ""


def test_the_console_script_is_installed():
    script = Path(sys.executable).with_name("rapport")
    done = subprocess.run([script, "version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("rapport ")
