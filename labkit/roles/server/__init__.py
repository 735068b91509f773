"""The server end of a hop: aiohttp behind a lifecycle per connection."""
