"""Snippets for Istio and Kubernetes: whole resources, held against tables of keys.

What a resource hands on to Envoy is shown to Envoy: the patches of an EnvoyFilter, put
where Istio would put them, and the words of a retry policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.snippets import envoy, istio_keys, kubernetes_keys, yamls
from tests.snippets.tables import TEXT, Message, hold
from tests.snippets.wrong import Wrong

Resources = Mapping[str, tuple[tuple[str, ...], Message]]
Document = dict[str, Any]


def check_istio(text: str) -> None:
    for document in yamls.documents(text):
        _hold(document, {**istio_keys.RESOURCES, **kubernetes_keys.RESOURCES})
        _hands_on(document["kind"], document["spec"])


def check_kubernetes(text: str) -> None:
    for document in yamls.documents(text):
        _hold(document, kubernetes_keys.RESOURCES)


# -- the tables ------------------------------------------------------------------------


def _hold(document: Any, resources: Resources) -> None:
    """Wrong if this is no whole resource, or not one that the tables know."""
    for key in ("apiVersion", "kind", "metadata", "spec"):
        if not isinstance(document, dict) or key not in document:
            raise Wrong(f"{key} is missing: show a whole resource that can be applied")
    kind = document["kind"]
    if kind not in resources:
        known = ", ".join(sorted(resources))
        raise Wrong(f"kind is {kind!r}; the tables have {known}")
    versions, spec = resources[kind]
    if document["apiVersion"] not in versions:
        told = document["apiVersion"]
        raise Wrong(f"apiVersion is {told!r}; {kind} is in {', '.join(versions)}")
    keys = {"apiVersion": TEXT, "kind": TEXT, "spec": spec}
    whole = {**keys, "metadata": kubernetes_keys.METADATA}
    hold(document, Message("a resource", whole))
    _fits(kind, document["spec"])
    for each in _annotations(document):
        _proxy_config(each)


def _fits(kind: str, spec: Document) -> None:
    """What the API server asks of two fields at once."""
    if kind == "Deployment":
        labels = spec["template"]["metadata"].get("labels", {})
        if not spec["selector"]["matchLabels"].items() <= labels.items():
            raise Wrong("spec.selector.matchLabels are no labels of spec.template")
    pod = spec["template"]["spec"] if kind == "Deployment" else spec
    for container in pod.get("containers", ()):
        _sleeps_within(pod, container)


def _sleeps_within(pod: Document, container: Document) -> None:
    """The grace period, 30 s by default, begins before preStop: core/v1/types.go."""
    grace = pod.get("terminationGracePeriodSeconds", 30)
    hook = container.get("lifecycle", {}).get("preStop", {})
    sleep = hook.get("sleep", {}).get("seconds", 0)
    command = " ".join(hook.get("exec", {}).get("command", ()))
    slept = re.search(r"\bsleep (\d+)", command)
    if slept:
        sleep = int(slept[1])
    if sleep >= grace:
        raise Wrong(
            f"preStop sleeps for {sleep} s, but terminationGracePeriodSeconds, which "
            f"runs meanwhile, is {grace}: the program gets no time of its own"
        )


# -- Istio's settings in annotations ---------------------------------------------------


def _annotations(document: Document) -> Iterator[dict[str, str]]:
    """Those of the resource and of the pods that it makes."""
    template = document["spec"].get("template", {})
    for metadata in (document["metadata"], template.get("metadata", {})):
        yield metadata.get("annotations", {})


def _proxy_config(annotations: dict[str, str]) -> None:
    """istio/api annotation/annotations.yaml: proxy.istio.io/config is a ProxyConfig."""
    text = annotations.get("proxy.istio.io/config")
    if text is not None:
        hold(yamls.mapping(text), istio_keys.PROXY, "proxy.istio.io/config")


# -- what Envoy gets of it -------------------------------------------------------------


def _hands_on(kind: str, spec: Document) -> None:
    if kind == "VirtualService":
        for each in spec["http"]:
            _repeats(each.get("retries", {}))
    elif kind == "IstioOperator":
        _repeats(spec.get("meshConfig", {}).get("defaultHttpRetryPolicy", {}))
    elif kind == "EnvoyFilter":
        for each in spec["configPatches"]:
            _patched(each["applyTo"], each["patch"])


def _repeats(retries: Document) -> None:
    """Numbers are statuses for Istio, virtual_service.proto; the words are Envoy's."""
    words = [word.strip() for word in str(retries.get("retryOn", "")).split(",")]
    mine = [word for word in words if word and not word.isdigit()]
    if mine:
        policy = {"retry_on": ",".join(mine)}
        route = envoy.route(retry_policy=policy)
        host = envoy.virtual_host([route])
        envoy.accept(envoy.bootstrap(envoy.listener(envoy.manager(host))))
    if retries.get("attempts") == 0 and len(retries) > 1:
        raise Wrong(
            "retries.attempts 0 switches retries off, whatever stands beside it"
        )


def _patched(target: str, patch: Document) -> None:
    """Istio merges a patch into what it has made itself, so the smallest will do."""
    value = patch["value"]
    if target == "CLUSTER":
        envoy.accept(envoy.bootstrap(app=yamls.merged(envoy.cluster(), value)))
    elif target == "LISTENER":
        envoy.accept(envoy.bootstrap(yamls.merged(envoy.listener(), value)))
    elif target == "NETWORK_FILTER":
        _filter_patched(value)
    else:
        host = envoy.virtual_host()
        if target == "VIRTUAL_HOST":
            host = yamls.merged(host, value)
        else:
            host = envoy.virtual_host([yamls.merged(envoy.route(), value)])
        envoy.accept(envoy.bootstrap(envoy.listener(envoy.manager(host))))


def _filter_patched(value: Document) -> None:
    listener = envoy.listener()
    (chain,) = listener["filter_chains"]
    (only,) = chain["filters"]
    if "@type" not in value.get("typed_config", {}):
        raise Wrong("patch.value.typed_config needs an @type: Istio merges by it")
    chain["filters"] = [yamls.merged(only, value)]
    envoy.accept(envoy.bootstrap(listener))
