"""Where notebooks and data lie: in a checkout, or installed with the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from labkit.settings import Scenario, SettingsError
from labkit.settings.validators import shown

_PACKAGE = Path(__file__).resolve().parent


def notebooks() -> Path:
    """The folder of the notebooks."""
    return _find("notebooks")


def scenarios() -> Path:
    """The folder of the scenarios that come with the lab."""
    return _find("data") / "scenarios"


@cache
def shipped() -> Mapping[str, Path]:
    """Every scenario that comes with the lab, by its bare name."""
    folders = (scenarios(), data("compare"), scenarios() / "reports")
    files = [file for folder in folders for file in sorted(folder.glob("*.toml"))]
    return {file.stem: file for file in files}


@cache
def access_logs() -> Mapping[str, Path]:
    """Every access log that comes with the lab, by the name of its file."""
    return {file.name: file for file in sorted(data("access-logs").glob("*.log"))}


def scenario_file(name: str) -> Path:
    """The file of a scenario by its bare name; SettingsError names the nearest one."""
    path = shipped().get(name)
    if path is None:
        raise SettingsError(f"no scenario is called {shown(name)}; {_hint(name)}")
    return path


def scenario(source: str | Path | Scenario) -> Scenario:
    """A scenario from its file, or from the bare name of one that comes with the lab.

    A file of that name has precedence. A text of several lines is read as TOML, and a
    scenario is given back as it is. Raises SettingsError for anything else.
    """
    if isinstance(source, Scenario):
        return source
    if not isinstance(source, (str, Path)):
        allowed = 'a Scenario, a file, or a name such as "safe"'
        raise SettingsError(f"the scenario is {shown(source)}; allowed: {allowed}")
    if "\n" in str(source) or _is_there(source):
        return Scenario.from_toml(source)
    name = str(source).removesuffix(".toml")
    if name in shipped() or Path(source).name == str(source) == name:
        return Scenario.from_toml(scenario_file(name))
    return _read(source, Path(name).name)


def _read(source: str | Path, stem: str) -> Scenario:
    """The scenario of a file that is not there, with a hint where one is shipped."""
    try:
        return Scenario.from_toml(source)
    except SettingsError as error:
        hint = f"; {stem} comes with the lab: labkit run {stem}"
        raise SettingsError(f"{error}{hint if stem in shipped() else ''}") from None


def _is_there(source: str | Path) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):  # no file can have this name
        return False


def _hint(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, shipped(), n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}labkit scenarios lists them, and a file needs its path"


def data(name: str) -> Path:
    """A file in the data folder."""
    return _find("data") / name


def _find(folder: str) -> Path:
    for base in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (base / folder).is_dir():
            return base / folder
    raise SettingsError(f"the {folder} folder is not where labkit was installed")
