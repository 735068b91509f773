"""What each parameter of the table of defaults is about: a knob, or none of ours.

Every parameter is named here; one that is not turns no knob, and is never taken for an
idle timeout. A table that grows shows in a test, not in a wrong figure.
"""

from __future__ import annotations

from collections.abc import Mapping

# How long a connection may rest between two requests, at either end.
_IDLE = (
    "(hyper without timer)",
    "(inherits Envoy 1 h) default inbound retry policy",
    "(keep-alive disabled)",
    "(keep-alive unsupported)",
    "(nginx keepalive_timeout, not set by Kong templates)",
    "(no idle timeout)",
    "(no idle timeout, urllib3 pool)",
    "(none)",
    "Agent timeout",
    "Agent timeout (no buffer)",
    "CURLOPT_MAXAGE_CONN",
    "ClientConnector.idleTimeout",
    "Connection Keep-Alive HTTP/1.1",
    "ConnectionPool keepAliveDuration",
    "ConnectionProvider.maxIdleTime",
    "ConnectionSettings.IdleTimeout",
    "DefaultConnectionKeepAliveStrategy",
    "DestinationRule connectionPool.http.idleTimeout",
    "HTTP/1.1 Keep-Alive timeout",
    "HttpServer.idleTimeout",
    "ISTIO_META_IDLE_TIMEOUT / HCM idle_timeout",
    "IdleConnTimeout",
    "KeepAliveCache default",
    "KeepAliveTimeout",
    "KestrelServerLimits.KeepAliveTimeout",
    "LINKERD2_PROXY_INBOUND_HTTP1_CONNECTION_POOL_IDLE_TIMEOUT",
    "LINKERD2_PROXY_OUTBOUND_HTTP1_CONNECTION_POOL_IDLE_TIMEOUT",
    "Limits.keepalive_expiry",
    "NO_REQUEST_TIMEOUT",
    "OriginKeepaliveTimeout",
    "PeerOptions.idle_timeout",
    "PooledConnectionIdleTimeout",
    "Proxy Idle Timeout",
    "ProxyPass ttl",
    "RequestConfig.connectionKeepAlive",
    "Server.IdleTimeout",
    "ServerSession keepalive",
    "back-end TCP session timeout",
    "backend keepalive timeout",
    "backend keepalive timeout (GFE)",
    "backend_idle_timeout",
    "channel_timeout",
    "client_idle_pconn_timeout",
    "common_http_protocol_options.idle_timeout (HCM)",
    "common_http_protocol_options.idle_timeout (cluster HttpProtocolOptions)",
    "conn_keep_alive",
    "connectionMaxIdleTime",
    "forwardingTimeouts.idleConnTimeout",
    "header_read_timeout",
    "http-keepalive",
    "http.Agent keepAlive:true, maxSockets 50",
    "http.idleTimeout (ServerConnector)",
    "httpKeepAliveTimeoutSec",
    "idle TCP connection timeout",
    "idleTimeout",
    "idle_connection_timeout",
    "idle_timeout.timeout_seconds",
    "jdk.httpclient.keepalive.timeout",
    "keep-alive",
    "keepAlive off",
    "keepAliveTimeout",
    "keepAliveTimeout = connectionTimeout",
    "keep_alive",
    "keep_alive_timeout",
    "keepalive",
    "keepalive idle timeout",
    "keepalive_expiry",
    "keepalive_timeout",
    "keepalive_timeout = cfg.keepalive",
    "keepalive_timeout in nginx.conf",
    "limits connectionTimeout",
    "network.http.keep-alive.timeout",
    "passthroughHttpProtocolOptions.IdleTimeout",
    "persistent_timeout",
    "poolIdleTimeout (hyper-util default)",
    "pool_idle_timeout",
    "proxy_http_version / keepalive",
    "respondingTimeouts.idleTimeout",
    "server.jetty.connection-idle-timeout",
    "server.keepAliveTimeout (no buffer)",
    "server.keepAliveTimeout + keepAliveTimeoutBuffer",
    "server.netty.idle-timeout",
    "server.tomcat.keep-alive-timeout",
    "server_idle_pconn_timeout",
    "servers timeouts idle",
    "timeout client (no http-keep-alive, no http-request)",
    "timeout http-keep-alive",
    "timeout_idle",
    "timeout_keep_alive",
    "timeout_keep_alive = cfg.keepalive",
    "transport http keepalive (idle_timeout)",
    "twisted HTTPFactory timeout",
    "upstream keepalive_timeout",
    "upstream-keepalive-timeout",
    "upstream_keepalive_idle_timeout",
    "used_idle_socket_timeout",
)

_LIFETIME = (
    "CURLOPT_MAXLIFETIME_CONN",
    "PooledConnectionLifetime",
    "client_keep_alive.seconds",
    "keepalive_time",
    "max_connection_duration",
    "pconn_lifetime",
    "upstream keepalive_time",
)

# Counts, policies, and what nobody has determined.
_NO_KNOB = (
    "(pool idle not determined)",
    "http-reuse",
    "keepalive_min_timeout",
    "keepalive_requests",
    "max-reuse",
    "max_requests_per_connection",
    "pool-purge-delay",
)

# No end of a hop, but a link that forgets an idle flow: 350 s and 240 s of silence.
_MIDDLEBOX = ("idleTimeoutInMinutes", "tcp.idle_timeout.seconds")

KNOBS: Mapping[str, str | None] = {
    **dict.fromkeys(_IDLE, "idle_timeout"),
    **dict.fromkeys(_LIFETIME, "max_connection_duration"),
    "delayed_close_timeout": "delayed_close_timeout",
    "drain_timeout": "drain_timeout",
    "server.headersTimeout": "request_headers_timeout",
    "stream_idle_timeout": "stream_idle_timeout",
    **dict.fromkeys((*_NO_KNOB, *_MIDDLEBOX)),
}


def knob_of(parameter: str) -> str | None:
    """The knob that a parameter turns; None if it turns none, or is not known."""
    return KNOBS.get(parameter)
