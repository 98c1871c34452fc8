"""Serves a plugin as the engine wants it: a server on this machine, whose port is the first line of the output."""

import contextlib
import sys
import time
from collections.abc import Callable
from concurrent import futures

import grpc

_ANY_LENGTH = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def serve(register: Callable[[grpc.Server], None]) -> None:
    """Serve what `register` adds to the server, until the engine ends this process."""
    server = grpc.server(futures.ThreadPoolExecutor(16), options=_ANY_LENGTH)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # The engine ends it by an interrupt, or for good.
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
