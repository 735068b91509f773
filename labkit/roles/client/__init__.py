"""The client end of a hop: pool, connections, requests and their retries."""
