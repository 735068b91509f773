"""Snippets for Java's servers: Spring Boot's settings and Tomcat's server.xml.

No Java runs here. Names and kinds of values are those of the sources named below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from tests.snippets import yamls
from tests.snippets.tables import Leaf, Message, hold, matching, one_of, whole
from tests.snippets.wrong import Wrong

# spring-boot .../convert/DurationStyle.java: a number without a unit is milliseconds
# where the property names no unit of its own, so 75 would be 75 ms.
SPAN = matching(
    r"[1-9]\d*(ns|us|ms|s|m|h|d)|PT\w+",
    "a time with a unit, like 75s: a bare number would be milliseconds",
)
# Spring Boot 4.2 (August 2026): the classes TomcatServerProperties,
# JettyServerProperties, NettyServerProperties, ServerProperties, LifecycleProperties.
SPRING = Message(
    "the properties of Spring Boot",
    {
        "server.tomcat.keep-alive-timeout": SPAN,
        "server.tomcat.connection-timeout": SPAN,
        "server.tomcat.max-keep-alive-requests": whole(-1),
        "server.tomcat.max-connections": whole(1),
        "server.tomcat.accept-count": whole(1),
        "server.tomcat.threads.max": whole(1),
        "server.jetty.connection-idle-timeout": SPAN,
        "server.netty.connection-timeout": SPAN,
        "server.netty.idle-timeout": SPAN,
        "server.netty.max-keep-alive-requests": whole(1),
        "server.shutdown": one_of("graceful", "immediate"),
        "server.port": whole(1, 65_535),
        "spring.lifecycle.timeout-per-shutdown-phase": SPAN,
    },
)


# -- Spring Boot -----------------------------------------------------------------------


def check_spring(text: str) -> None:
    """application.properties, or application.yaml."""
    is_properties = re.search(r"^[\w.-]+ *=", text, re.MULTILINE)
    found = _properties(text) if is_properties else dict(_flat(yamls.mapping(text)))
    hold(found, SPRING)
    phase = "spring.lifecycle.timeout-per-shutdown-phase"
    if phase in found and found.get("server.shutdown") != "graceful":
        raise Wrong(
            f"{phase} does not wait for requests before Spring Boot 3.4 unless "
            "server.shutdown is graceful: show both"
        )


def _properties(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        key, is_there, value = (part.strip() for part in line.partition("="))
        if not is_there:
            raise Wrong(f"{line.strip()!r} is no property: a key, =, and a value")
        if key in found:
            raise Wrong(f"the property {key} stands twice")
        found[key] = number(value)
    return found


def number(text: str) -> int | str:
    """What is written in digits, as the number that it is."""
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _flat(keys: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in keys.items():
        path = f"{above}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


# -- Tomcat ----------------------------------------------------------------------------


def _is_milliseconds(value: object) -> bool:
    return isinstance(value, int) and (value == -1 or value >= 1000)


MILLISECONDS = Leaf("milliseconds, 1000 or more, or -1 for no limit", _is_milliseconds)
ANY = Leaf("any text", lambda value: True)
# Tomcat webapps/docs/config/http.xml (August 2026).
CONNECTOR = Message(
    "Tomcat's HTTP Connector",
    {
        "port": whole(0, 65_535),
        "protocol": ANY,
        "address": ANY,
        "executor": ANY,
        "redirectPort": whole(1, 65_535),
        "keepAliveTimeout": MILLISECONDS,
        "connectionTimeout": MILLISECONDS,
        "connectionUploadTimeout": MILLISECONDS,
        "disableUploadTimeout": one_of("true", "false"),
        "maxKeepAliveRequests": whole(-1),
        "maxConnections": whole(-1),
        "maxThreads": whole(1),
        "minSpareThreads": whole(0),
        "acceptCount": whole(0),
        "useKeepAliveResponseHeader": one_of("true", "false"),
    },
)


def check_tomcat(text: str) -> None:
    """A Connector of server.xml, alone or in what stands around it."""
    try:
        root = ElementTree.fromstring(f"<snippet>{text}</snippet>")
    except ElementTree.ParseError as trouble:
        raise Wrong(f"this is not XML: {trouble}") from None
    connectors = list(root.iter("Connector"))
    if not connectors:
        raise Wrong("there is no Connector here")
    for each in connectors:
        values = {key: number(value) for key, value in each.attrib.items()}
        hold(values, CONNECTOR, "Connector")
