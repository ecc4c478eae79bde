"""The package installs as one namespace, in every way people install packages."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parent.parent.parent
PIP = (sys.executable, "-m", "pip")
UV_PIP = (sys.executable, "-m", "uv", "pip")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed, and return what it printed."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the package is built from: a build leaves folders behind."""
    copy = tmp_path / "checkout"
    run("git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", copy, cwd=tmp_path)
    return copy


@pytest.fixture
def wheel(checkout: Path, tmp_path: Path) -> Path:
    """The wheel, built by pip."""
    wheels = tmp_path / "wheels"
    run(*PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, checkout, cwd=tmp_path)
    return next(wheels.glob("nodespan-*.whl"))


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of a new environment that sees this one's packages, but not its nodespan."""
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    packages = next((environment / "lib").glob("python*")) / "site-packages"
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "other_packages.pth").write_text("\n".join(others))
    return environment / "bin" / "python"


def installed_top_level(python: Path) -> set[str]:
    """Return what the installation put into site-packages, but for its metadata."""
    packages = next((python.parent.parent / "lib").glob("python*")) / "site-packages"
    names = {path.name for path in packages.iterdir()}
    return {name for name in names if not name.endswith((".dist-info", ".pth"))}


def test_the_wheel_holds_one_namespace(wheel: Path, checkout: Path) -> None:
    """Nothing but `nodespan/` and the metadata is in the wheel, with the type markers."""
    names = zipfile.ZipFile(wheel).namelist()
    top_level = {name.partition("/")[0] for name in names}
    assert {name for name in top_level if not name.endswith(".dist-info")} == {"nodespan"}
    assert "nodespan/__init__.py" not in names
    for room in ("graph", "model", "telemetry"):
        assert {f"nodespan/{room}/__init__.py", f"nodespan/{room}/py.typed"} <= set(names)
        sources = {path.relative_to(checkout / room) for path in (checkout / room).rglob("*.py")}
        assert {f"nodespan/{room}/{path}" for path in sources} <= set(names)


@pytest.mark.parametrize("way", ["pip", "uv"])
def test_an_installation_shadows_nobodys_modules(
    way: str, wheel: Path, python: Path, tmp_path: Path
) -> None:
    """With a graph.py, model.py and telemetry.py in the current folder all is found."""
    with_pip = (*PIP, "--python", python, "install", "--no-deps", wheel)
    with_uv = (*UV_PIP, "install", "--python", python, "--no-deps", wheel)
    run(*(with_pip if way == "pip" else with_uv), cwd=tmp_path)
    assert installed_top_level(python) == {"nodespan"}
    for name in ("graph", "model", "telemetry"):
        (tmp_path / f"{name}.py").write_text(f"NAME = {name!r}")
    code = (
        "import graph, model, telemetry, nodespan.graph, nodespan.model, nodespan.telemetry\n"
        "print(graph.NAME, model.NAME, telemetry.NAME, nodespan.telemetry.__file__)"
    )
    printed = run(python, "-c", code, cwd=tmp_path)
    assert printed.startswith(f"graph model telemetry {tmp_path}/environment/")
    assert "Meow" in run(python.with_name("nodespan"), "chat", "Meow!", cwd=tmp_path)


def test_an_editable_installation_follows_the_checkout(
    checkout: Path, python: Path, tmp_path: Path
) -> None:
    """What is changed in the checkout is what is imported."""
    install = ("install", "--no-deps", "--editable", checkout)
    run(*PIP, "--python", python, *install, cwd=tmp_path)
    with (checkout / "telemetry" / "_version.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    code = "from nodespan.telemetry import _version; print(_version.CHANGED)"
    assert run(python, "-c", code, cwd=tmp_path) == "True\n"
