"""Where notebooks and data lie: in a checkout, or installed with the package."""

from __future__ import annotations

from pathlib import Path

from labkit.settings import SettingsError

_PACKAGE = Path(__file__).resolve().parent


def notebooks() -> Path:
    """The folder of the notebooks."""
    return _find("notebooks")


def scenarios() -> Path:
    """The folder of the scenarios that come with the lab."""
    return _find("data") / "scenarios"


def scenario_file(name: str) -> Path:
    """The file of a scenario by its bare name; SettingsError lists what there is."""
    path = scenarios() / f"{name}.toml"
    if not path.is_file():
        there = ", ".join(sorted(each.stem for each in scenarios().glob("*.toml")))
        raise SettingsError(f"no scenario is called {name!r}; there are: {there}")
    return path


def data(name: str) -> Path:
    """A file in the data folder."""
    return _find("data") / name


def _find(folder: str) -> Path:
    for base in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (base / folder).is_dir():
            return base / folder
    raise SettingsError(f"the {folder} folder is not where labkit was installed")
