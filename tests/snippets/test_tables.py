"""What no program here reads is held against tables: right keys, right values."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.snippets import envoy, shell
from tests.snippets.kinds import check
from tests.snippets.refusing import complaint

ALB = "aws elbv2 modify-load-balancer-attributes --load-balancer-arn arn"
PROXY = "gcloud compute target-https-proxies update app"
BACKEND = (
    "apiVersion: cloud.google.com/v1\nkind: BackendConfig\n"
    "metadata: { name: app }\nspec: { timeoutSec: %s }\n"
)
PHASE = "spring.lifecycle.timeout-per-shutdown-phase=30s"

REFUSED = [
    ("java", "server.tomcat.keepalive-timeout=75s", "keepalive-timeout is not known"),
    ("java", "server.tomcat.keep-alive-timeout=75", "would be milliseconds"),
    ("java", "server: { tomcat: { keep-alive-timeout: 75000 } }", "is 75000"),
    ("java", "server.tomcat.max-keep-alive-requests=many", "a whole number from -1"),
    ("java", "server.port=80\nserver.port=81", "server.port stands twice"),
    ("java", "server.port=80\nserver.shutdown", "is no property"),
    ("java", PHASE, "unless server.shutdown is graceful"),
    ("tomcat", '<Connector keepAliveTimeout="75"/>', "milliseconds, 1000 or more"),
    ("tomcat", '<Connector keepalivetimeout="75000"/>', "is not known"),
    ("tomcat", "<Connector>", "this is not XML"),
    ("tomcat", "<Engine/>", "there is no Connector here"),
    ("go", "s := http.Server{IdleTimeout: 75}", "a bare number is nanoseconds"),
    ("go", "s := http.Server{IdleTimeOut: 75 * time.Second}", "IdleTimeOut is not kno"),
    (
        "go",
        "t := &http.Transport{IdleTimeout: time.Second}",
        "IdleTimeout is not known",
    ),
    ("go", "s := http.Server{IdleTimeout: time.Second", "as many { as }"),
    ("go", "server.KeepAliveTimeout = time.Second", "KeepAliveTimeout is not known"),
    ("go", "server.SetKeepAlivesEnabled(false)", "closes idle connections at once"),
    ("go", "x := 1", "nothing here is known"),
    ("go", "k := net.KeepAliveConfig{Count: 3}", "Enable is missing"),
    ("kestrel", "options.Limits.KeepAliveTimeout = 75;", "a TimeSpan, like"),
    ("kestrel", "o.Limits.KeepAlive = TimeSpan.FromSeconds(75);", "is not known"),
    ("kestrel", "o.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(75)", "no semicolon"),
    ("kestrel", "options.KeepAliveTimeout = 75;", "no limit of Kestrel is set here"),
    ("puma", "persistent_timeout 75.5", "a whole number from 1"),
    ("puma", "keep_alive_timeout 75", "keep_alive_timeout is not known"),
    ("puma", "idle_timeout 75", "ends Puma itself"),
    ("puma", "max_fast_inline 10", "is deprecated"),
    ("alb", "idle_timeout.timeout_seconds = 4001", "from 1 to 4000"),
    ("alb", "idle_timeout.seconds = 60", "idle_timeout.seconds is not known"),
    ("alb", "idle_timeout.timeout_seconds", "no attribute with its value"),
    ("alb", "client_keep_alive.seconds: 30", "from 60 to 604800"),
    (
        "alb",
        f"{ALB} --attributes Key=idle_timeout.timeout_seconds,Value=0",
        "1 to 4000",
    ),
    ("alb", f"{ALB} --attributes idle_timeout.timeout_seconds=60", "Key=...,Value=..."),
    ("alb", f"{ALB} --atributes Key=a,Value=b", "--atributes is not known"),
    ("alb", ALB, "changes nothing without --attributes"),
    (
        "alb",
        f"{ALB} --attributes Key=deregistration_delay.timeout_seconds,Value=60",
        "LoadBalancerAttribute of elbv2 has",
    ),
    ("alb", "aws elbv2 set-timeout 60", "is none of modify-load-balancer-attributes"),
    ("gclb", f"{PROXY} --http-keep-alive-timeout-sec=1201", "from 5 to 1200"),
    ("gclb", f"{PROXY} --http-keep-alive-timeout=600", "is not known"),
    ("gclb", f"{PROXY} --global", "changes nothing"),
    ("gclb", "gcloud compute backend-service update app", "is none of"),
    ("gclb", "httpKeepAliveTimeoutSec: 4", "from 5 to 1200"),
    ("gclb", BACKEND % "30s", "spec.timeoutSec is '30s'"),
    ("sysctl", "net.ipv4.tcp_keepalive_interval = 10", "is not known"),
    ("sysctl", "net.ipv4.tcp_keepalive_time = 60s", "a whole number from 1"),
    ("sysctl", "net.ipv4.tcp_keepalive_time", "sets nothing"),
    ("sysctl", "net.ipv4.ip_local_port_range = 60000 1024", "two ports"),
    ("shell", "curl 'http://127.0.0.1:9901/stats", "bash says"),
    ("shell", "curl http://127.0.0.1:9901/drain", "Envoy's admin has no /drain"),
    ("shell", "curl localhost:15000/healthcheck/fail", "wants POST for /healthcheck"),
    ("shell", "curl -XPOST localhost:15000/stats?usedonly", "wants GET for /stats"),
    (
        "shell",
        "kubectl exec app -c istio-proxy -- pilot-agent request GET drain_listeners",
        "wants POST for /drain_listeners",
    ),
    ("text", "\n", "there is nothing in this block"),
    ("envoy", "{}", "the kind 'envoy' is not known"),
]


@pytest.mark.parametrize(("kind", "text", "told"), REFUSED)
def test_a_wrong_snippet_is_refused_with_its_reason(
    kind: str, text: str, told: str
) -> None:
    assert told in complaint(kind, text)


RIGHT = [
    ("java", f"# 3.3 and later\nserver.shutdown=graceful\n{PHASE}"),
    ("java", "server:\n  tomcat: { keep-alive-timeout: PT75S }"),
    ("tomcat", '<Service><Connector port="80" keepAliveTimeout="-1"/></Service>'),
    ("go", "transport.IdleConnTimeout = 4 * time.Second"),
    ("go", "http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 32"),
    ("go", 'w.Header().Set("Connection", "close")'),
    ("go", "server.IdleTimeout = 75 * time.Second // longer than the proxy's"),
    ("puma", "max_keep_alive 1_000 # requests\nforce_shutdown_after :forever"),
    ("alb", "idle_timeout.timeout_seconds=60"),
    ("gclb", "gcloud compute backend-services update app --global --timeout 30s"),
    ("gclb", "timeoutSec: 30"),
    ("gclb", BACKEND % 30),
    ("sysctl", "sudo sysctl -w net.ipv4.tcp_keepalive_time=60"),
    ("sysctl", "net.ipv4.ip_local_port_range = 1024 60999"),
    (
        "shell",
        "curl -s 'http://127.0.0.1:9901/stats?filter=cx_destroy' | grep -v ': 0'",
    ),
    ("shell", "curl -X POST 'localhost:15000/drain_listeners?graceful'"),
    ("shell", "curl https://app.example.com/anything && ss -tan state close-wait"),
    ("text", "upstream connect error"),
]


@pytest.mark.parametrize(("kind", "text"), RIGHT)
def test_what_the_sources_allow_is_accepted(kind: str, text: str) -> None:
    check(kind, text)


@pytest.mark.live
@pytest.mark.real
def test_envoys_admin_has_the_paths_of_the_table() -> None:
    told = _help_of_envoy()
    paths = [line.split(": ")[0].split() for line in told if line.startswith("  /")]
    posts = {words[0] for words in paths if words[1:] == ["(POST)"]}
    assert posts == shell.POSTS
    assert {words[0] for words in paths} - posts == shell.GETS


def _help_of_envoy() -> list[str]:
    """The answer to /help on a socket in a scratch folder."""
    with tempfile.TemporaryDirectory() as scratch:
        path = str(Path(scratch) / "admin")
        text = f"admin: {{ address: {{ pipe: {{ path: {path} }} }} }}"
        words = [envoy.find(), "--config-yaml", text, "--disable-hot-restart"]
        child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert child.stderr is not None
        try:
            for line in child.stderr:
                if "starting main dispatch loop" in line:
                    break
            curl = ["curl", "--silent", "--unix-socket", path, "http://envoy/help"]
            done = subprocess.run(curl, capture_output=True, text=True, check=True)
            return done.stdout.splitlines()
        finally:
            child.kill()
            child.communicate()
