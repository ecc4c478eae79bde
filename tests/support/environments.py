"""Environments of their own, in which the wheel is installed beside what others make."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from support.processes import environment_of_programs

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 300


def build_wheel(folder: Path) -> Path:
    """Build the wheel, of a copy: a build leaves folders behind."""
    for name in ("graph", "model", "telemetry", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    uv("build", "--wheel", "--out-dir", folder / "dist", folder)
    return next((folder / "dist").glob("*.whl"))


def uv(*arguments: str | Path) -> None:
    """Run uv, which must succeed; what it says is why it could not."""
    command = (sys.executable, "-m", "uv", "--quiet", *arguments)
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert result.returncode == 0, result.stderr


def install(folder: Path, wheel: Path, *requirements: str, extras: str = "") -> Path:
    """Make an environment with the wheel and its neighbours; return where its programs are."""
    uv("venv", "--python", sys.executable, folder)
    bin_ = folder / ("Scripts" if os.name == "nt" else "bin")
    ours = f"nodespan{extras} @ {wheel.as_uri()}"
    uv("pip", "install", "--python", bin_ / "python", ours, *requirements)
    return bin_


def run(
    *command: str | Path, folder: Path | None = None, seconds: float = SECONDS, **variables: str
) -> str:
    """Run a program that must succeed, and return what it has printed."""
    # A variable of the tests' own environment is none of the other's.
    environment = environment_of_programs(**variables)
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env=environment,
        cwd=folder,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout
