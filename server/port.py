"""Ports of this machine."""

import socket


def free_port(wanted: int, host: str = "127.0.0.1") -> int:
    """`wanted` if nothing listens on it, else one that the system picks."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise OSError(f"no free port on {host}")
