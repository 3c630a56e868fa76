"""The asyncio half of the transport: what the gateway dials hosts and virtual APIs with. It shares the routes.

Each layer is a ByteStream over another one: TCP, TLS in it, a port-forward's WebSocket in that, TLS to the pod in that.
"""
