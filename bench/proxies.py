"""The reverse proxies that are compared, each as a program of its own.

    python -m bench.proxies bare  PORT UPSTREAM_PORT
    python -m bench.proxies ours  PORT UPSTREAM_PORT

``bare`` is the shortest honest aiohttp reverse proxy: hop-by-hop headers
stripped, both bodies streamed, one ClientSession.
"""

from __future__ import annotations

import asyncio
import random
import sys

import aiohttp
from aiohttp import web

HERE = "127.0.0.1"
HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


async def bare(port: int, upstream: int) -> None:
    """An aiohttp server that forwards with a ClientSession."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
    )

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        passed = [
            (k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP
        ]
        body = request.content if request.body_exists else None
        url = f"http://{HERE}:{upstream}{request.path_qs}"
        async with session.request(
            request.method, url, headers=passed, data=body, allow_redirects=False
        ) as answer:
            kept = [
                (k, v) for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP
            ]
            response = web.StreamResponse(status=answer.status, headers=dict(kept))
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    server = web.Server(forward, access_log=None)
    await asyncio.get_running_loop().create_server(server, HERE, port)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def ours(port: int, upstream: int) -> None:
    """labkit's proxy between two plain sockets, without links."""
    from bench.direct import DirectNetwork
    from labkit.records.ledger import Ledger
    from labkit.roles.client.pool import ConnectionPool
    from labkit.roles.client.router import Router
    from labkit.roles.proxy import Proxy
    from labkit.roles.server.server import HopServer
    from labkit.settings import Pool, Server

    network = DirectNetwork(port, (HERE, upstream))
    ledger = Ledger(2, keep_lives=False)
    pool = ConnectionPool(network, 1, Pool(), ledger)
    proxy = Proxy(Router(pool, ledger, random.Random(1)), ledger, "503")
    await HopServer(network, 0, Server(), proxy, ledger).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    which = {"bare": bare, "ours": ours}[sys.argv[1]]
    asyncio.run(which(int(sys.argv[2]), int(sys.argv[3])))
