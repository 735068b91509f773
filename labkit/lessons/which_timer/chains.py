"""Which timer: four chains to repair, and one that two readings make two of."""

from __future__ import annotations

from labkit.settings import Hop, Link, Origin, Pool, Scenario, Server, Traffic

# Seconds, from data/default-timeouts.csv. Node.js closes after the 5 s that it
# announces up to 20.17 and 22.8; later ones close a second after it.
ALB_IDLE, NODE_IDLE, ENVOY_POOL = 60.0, 5.0, 3600.0
WORK = Origin(service_time=0.01)


def alb_before_node(delay: float = 0.005) -> Scenario:
    """A balancer that keeps connections for 60 s in front of a server that keeps
    them for 5 s: both as they come out of the box. ``delay`` in seconds, one way."""
    hop = Hop(
        name="alb",
        pool=Pool(idle_timeout=ALB_IDLE, failure="502"),
        link=Link(delay=delay),
        server=Server(idle_timeout=NODE_IDLE, hint=True),
    )
    return Scenario(
        name="ALB 60 s in front of Node 5 s",
        seed=4,
        traffic=Traffic(rate=0.2, requests=3000),
        hops=(hop,),
        origin=WORK,
    )


def alb_before_envoy(balancer: float = ALB_IDLE, envoy: float = 30.0) -> Scenario:
    """A balancer in front of an Envoy whose downstream idle timeout was shortened;
    the upstream never closes. Timers in seconds."""
    front = _balancer(balancer, envoy)
    back = Hop(name="envoy", pool=Pool(idle_timeout=4.0), link=Link(delay=0.001))
    return Scenario(
        name="ALB in front of Envoy",
        seed=13,
        traffic=Traffic(rate=0.05, requests=2000),
        hops=(front, back),
        origin=WORK,
    )


def _balancer(idle: float, envoy: float) -> Hop:
    """A balancer and the downstream side of an Envoy, each with its idle timeout."""
    return Hop(
        name="alb",
        pool=Pool(idle_timeout=idle, failure="502"),
        link=Link(delay=0.005),
        server=Server(personality="envoy", idle_timeout=envoy),
    )


def envoy_before_node(
    pool: float = ENVOY_POOL, timeout: float = NODE_IDLE, delay: float = 0.01
) -> Scenario:
    """A client in order, an Envoy, an upstream. ``pool`` is how long Envoy keeps an
    idle upstream connection, ``timeout`` how long the upstream does."""
    front = Hop(
        name="client", pool=Pool(idle_timeout=60.0), server=Server(personality="envoy")
    )
    back = Hop(
        name="envoy",
        pool=Pool(idle_timeout=pool),
        link=Link(delay=delay),
        server=Server(idle_timeout=timeout),
    )
    return Scenario(
        name="Envoy in front of Node",
        seed=2324,
        traffic=Traffic(rate=0.2, requests=2000),
        hops=(front, back),
        origin=WORK,
    )


def broken() -> dict[int, Scenario]:
    """The four chains of the exercises, by number."""
    return {
        1: alb_before_node(),
        2: alb_before_envoy(),
        3: envoy_before_node(),
        4: envoy_before_node(pool=4.99, delay=0.025),
    }


# -- the sentence, as its page has it and put right ------------------------------------

# The application's own timer, and one that is smaller than Envoy's 30 s, in seconds.
APP_IDLE, APP_SHORTENED = 65.0, 25.0


def readings() -> dict[str, Scenario]:
    """One chain, and what two readings of one sentence make of it.

    The page's advice is that the upstream peer have a smaller timeout than Envoy and
    close first. As written, Envoy's upstream is the application behind it; as meant,
    it is the peer in front of it. The chain is bad on both hops, so that the readings
    differ in what they leave.
    """
    chain = _both_hops(balancer=ALB_IDLE, envoy=30.0, pool=ENVOY_POOL, app=APP_IDLE)
    front = {"hop.0.pool.idle_timeout": 20.0}
    back = {"hop.1.pool.idle_timeout": 60.0}
    return {
        "as it is": chain,
        "as written: the application closes first": chain.replace(
            "hop.1.server.idle_timeout", APP_SHORTENED
        ),
        "as meant: the peer in front of Envoy closes first": chain.replace_all(front),
        "corrected: the client end of every hop closes first": chain.replace_all(
            front | back
        ),
    }


def _both_hops(balancer: float, envoy: float, pool: float, app: float) -> Scenario:
    back = Hop(
        name="envoy",
        pool=Pool(idle_timeout=pool),
        link=Link(delay=0.025),
        server=Server(idle_timeout=app),
    )
    return Scenario(
        name="ALB, Envoy, application",
        seed=3,
        traffic=Traffic(rate=0.05, requests=100_000),
        hops=(_balancer(balancer, envoy), back),
        origin=WORK,
    )
