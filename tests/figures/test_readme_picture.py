"""The picture of the README is the one that the lab draws today."""

from __future__ import annotations

from xml.etree import ElementTree

from tools import draw_race


def test_the_picture_of_the_readme_is_what_the_lab_draws() -> None:
    assert draw_race.TARGET.read_text(encoding="utf-8") == draw_race.picture()


def test_it_shows_the_race_and_says_so_in_words() -> None:
    root = ElementTree.parse(draw_race.TARGET).getroot()
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "Request 3 met a closing connection: 503 UC"
    assert "1 of 3 requests failed" in str(root[1].text)
