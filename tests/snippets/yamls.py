"""YAML as people paste it: what would be lost in silence is refused."""

from __future__ import annotations

from typing import Any

import yaml

from tests.snippets.wrong import Wrong


class _Loader(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win, which hides the other one."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise Wrong(f"the key {key} stands twice in one mapping")
        return super().construct_mapping(node, deep)


def documents(text: str) -> list[Any]:
    """The documents of a text; Wrong if it is not YAML or holds none."""
    try:
        found = [each for each in yaml.load_all(text, _Loader) if each is not None]
    except yaml.YAMLError as trouble:
        raise Wrong(f"this is not YAML: {' '.join(str(trouble).split())}") from None
    if not found:
        raise Wrong("there is nothing in this block")
    return found


def one(text: str) -> Any:
    """The only document of a text."""
    found = documents(text)
    if len(found) > 1:
        raise Wrong(f"one document is allowed here, these are {len(found)}")
    return found[0]


def mapping(text: str) -> dict[str, Any]:
    """The keys of the only document of a text."""
    found = one(text)
    if not isinstance(found, dict):
        raise Wrong(f"keys with values are allowed here, this is {found!r}")
    return found


def merged(base: Any, more: Any) -> Any:
    """What comes of keys put into a file that has some already; lists are replaced."""
    if not isinstance(base, dict) or not isinstance(more, dict):
        return more
    both = {key: merged(base[key], more[key]) for key in base.keys() & more.keys()}
    return {**base, **more, **both}
