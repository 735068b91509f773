"""The keys of Kubernetes resources, from the Go types of github.com/kubernetes/api.

Read at commit 10b39a3 (July 2026): the json names in ``core/v1/types.go``,
``apps/v1/types.go`` and ``policy/v1/types.go``.
"""

from __future__ import annotations

from tests.snippets.tables import (
    TEXT,
    TEXTS,
    Leaf,
    Many,
    Message,
    Named,
    is_whole,
    matching,
    one_of,
    whole,
)

_CORE = "kubernetes/api core/v1/types.go"
_APPS = "kubernetes/api apps/v1/types.go"
_META = "kubernetes apimachinery meta/v1/types.go"

SECONDS = whole(0)
COUNT = whole(0)
PORT = Leaf(
    "a port from 1 to 65535 or its name",
    lambda value: (
        1 <= int(str(value)) <= 65_535
        if is_whole(value)
        else isinstance(value, str) and value != ""
    ),
)
SHARE = Leaf(
    "a whole number or a share like 25%",
    lambda value: (
        is_whole(value)
        or (isinstance(value, str) and value[-1:] == "%" and value[:-1].isdigit())
    ),
)
LABELS = Named(TEXT)

METADATA = Message(
    f"{_META} ObjectMeta",
    {"name": TEXT, "namespace": TEXT, "labels": LABELS, "annotations": LABELS},
    ("name",),
)


# -- how a container is asked, and told to go ------------------------------------------

EXEC = Message(f"{_CORE} ExecAction", {"command": TEXTS}, ("command",))
HTTP_GET = Message(
    f"{_CORE} HTTPGetAction",
    {"path": TEXT, "port": PORT, "host": TEXT, "scheme": one_of("HTTP", "HTTPS")},
    ("port",),
)
TCP = Message(f"{_CORE} TCPSocketAction", {"port": PORT, "host": TEXT}, ("port",))
SLEEP = Message(f"{_CORE} SleepAction", {"seconds": whole(1)}, ("seconds",))
_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
HANDLER = Message(
    f"{_CORE} LifecycleHandler",
    {"exec": EXEC, "httpGet": HTTP_GET, "tcpSocket": TCP, "sleep": SLEEP},
    one_of=_HANDLERS,
)
LIFECYCLE = Message(f"{_CORE} Lifecycle", {"preStop": HANDLER, "postStart": HANDLER})
PROBE = Message(
    f"{_CORE} Probe",
    {
        "exec": EXEC,
        "httpGet": HTTP_GET,
        "tcpSocket": TCP,
        "initialDelaySeconds": SECONDS,
        "timeoutSeconds": whole(1),
        "periodSeconds": whole(1),
        "successThreshold": whole(1),
        "failureThreshold": whole(1),
        "terminationGracePeriodSeconds": whole(1),
    },
    one_of=("exec", "httpGet", "tcpSocket"),
)


# -- pods and what makes them ----------------------------------------------------------

CONTAINER_PORT = Message(
    f"{_CORE} ContainerPort",
    {"name": TEXT, "containerPort": whole(1, 65_535), "protocol": one_of("TCP", "UDP")},
    ("containerPort",),
)
VARIABLE = Message(f"{_CORE} EnvVar", {"name": TEXT, "value": TEXT}, ("name",))
CONTAINER = Message(
    f"{_CORE} Container",
    {
        "name": TEXT,
        "image": TEXT,
        "command": TEXTS,
        "args": TEXTS,
        "ports": Many(CONTAINER_PORT),
        "env": Many(VARIABLE),
        "lifecycle": LIFECYCLE,
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "startupProbe": PROBE,
    },
    ("name", "image"),
)
SYSCTL = Message(
    f"{_CORE} Sysctl",
    {"name": TEXT, "value": matching(r"[\d\s]+", "a number in quotes")},
    ("name", "value"),
)
POD = Message(
    f"{_CORE} PodSpec",
    {
        "containers": Many(CONTAINER),
        "terminationGracePeriodSeconds": SECONDS,
        "serviceAccountName": TEXT,
        "securityContext": Message(
            f"{_CORE} PodSecurityContext", {"sysctls": Many(SYSCTL)}
        ),
    },
    ("containers",),
)
TEMPLATE = Message(
    f"{_CORE} PodTemplateSpec",
    {
        "metadata": Message(
            f"{_META} ObjectMeta", {"labels": LABELS, "annotations": LABELS}
        ),
        "spec": POD,
    },
    ("metadata", "spec"),
)
SELECTOR = Message(f"{_META} LabelSelector", {"matchLabels": LABELS}, ("matchLabels",))
ROLLING = Message(
    f"{_APPS} RollingUpdateDeployment", {"maxUnavailable": SHARE, "maxSurge": SHARE}
)
STRATEGY = Message(
    f"{_APPS} DeploymentStrategy",
    {"type": one_of("RollingUpdate", "Recreate"), "rollingUpdate": ROLLING},
)
DEPLOYMENT = Message(
    f"{_APPS} DeploymentSpec",
    {
        "replicas": COUNT,
        "selector": SELECTOR,
        "template": TEMPLATE,
        "strategy": STRATEGY,
        "minReadySeconds": SECONDS,
        "progressDeadlineSeconds": SECONDS,
    },
    ("selector", "template"),
)
BUDGET = Message(
    "kubernetes/api policy/v1/types.go PodDisruptionBudgetSpec",
    {"minAvailable": SHARE, "maxUnavailable": SHARE, "selector": SELECTOR},
    one_of=("minAvailable", "maxUnavailable"),
)

RESOURCES = {
    "Deployment": (("apps/v1",), DEPLOYMENT),
    "Pod": (("v1",), POD),
    "PodDisruptionBudget": (("policy/v1",), BUDGET),
}
