"""Tokens: a scenario as one word, to hand a setting to a colleague.

A token is the scenario's TOML, packed, with a checksum, in the letters that URLs and
chat programs leave alone. The mark at its beginning is its version.
"""

from __future__ import annotations

from labkit.settings import toml
from labkit.settings.validators import SettingsError, shown

_MARK = "lk1-"


def packed(text: str) -> str:
    """A scenario's TOML as compact, url-safe text with a checksum."""
    import base64
    import zlib

    body = zlib.compress(text.encode(), 9)
    check = zlib.crc32(body).to_bytes(4, "big")
    return _MARK + base64.urlsafe_b64encode(check + body).decode().rstrip("=")


def unpacked(text: str) -> str:
    """The TOML of a token, which ends a line; SettingsError if it is damaged."""
    word = "".join(text.split())  # mail programs break long words
    if not word.startswith(_MARK):
        raise SettingsError(
            f"{shown(text)} is not a token of this version of the lab; "
            f"a token begins with {_MARK}"
        )
    inside = _unpacked(word.removeprefix(_MARK))
    if inside is None:
        raise SettingsError(
            f"the token is damaged; copy it whole, from {_MARK} to its last letter"
        )
    return f"{inside}\n"


def _unpacked(body: str) -> str | None:
    """The TOML inside, or None if a letter is wrong or missing."""
    import base64
    import zlib

    try:
        padded = body + "=" * (-len(body) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        if zlib.crc32(raw[4:]).to_bytes(4, "big") != raw[:4]:
            return None
        opened = zlib.decompressobj()
        text = opened.decompress(raw[4:], toml.LONGEST).decode()
    except (ValueError, zlib.error):
        return None
    return text if opened.eof else None
