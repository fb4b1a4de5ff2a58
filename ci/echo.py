#!/usr/bin/env python3
"""ci/echo.py FILE CLIENTS - clients of the echo server whose address appears in the file: what they send comes back."""

import os
import socket
import sys
import threading
import time


def address(path):
    for _ in range(6000):
        with open(path) as file:
            line = file.read()
        if line.endswith("\n"):
            host, port = line.strip().rsplit(":", 1)
            return host, int(port)
        time.sleep(0.01)
    sys.exit("echo.py: the server does not say where it listens")


def client(where, failures):
    sent, received = os.urandom(1 << 22), bytearray()
    try:
        with socket.create_connection(where, timeout=60) as stream:

            def send():
                stream.sendall(sent)
                stream.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send, daemon=True)
            sender.start()
            while data := stream.recv(1 << 16):
                received += data
            sender.join()
        if received != sent:
            failures.append(f"{len(received)} bytes came back of {len(sent)}, or others")
    except OSError as error:
        failures.append(str(error))


where, failures = address(sys.argv[1]), []
clients = [threading.Thread(target=client, args=(where, failures)) for _ in range(int(sys.argv[2]))]
for thread in clients:
    thread.start()
for thread in clients:
    thread.join()
if failures:
    sys.exit("echo.py: " + "; ".join(failures))
