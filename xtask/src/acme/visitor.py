"""Visits the service under test by the name on its certificate, until it has one of this authority.

    visitor.py ROOT PORT NAME
"""

import socket
import ssl
import sys
import time

root, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=root)
deadline = time.monotonic() + 60
while True:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            with context.wrap_socket(plain, server_hostname=name) as stream:
                stream.sendall(f"GET /readyz HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n".encode())
                answer = stream.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        break
    except OSError as error:
        if time.monotonic() > deadline:
            raise
        print(f"not yet: {error}", flush=True)
        time.sleep(0.5)
