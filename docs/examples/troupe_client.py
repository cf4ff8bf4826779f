#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of Troupe's WebSocket sessions with nothing but the standard library."""
import base64
import hashlib
import json
import os
import socket
import struct
import sys
from urllib.parse import urlsplit


class TroupeError(Exception):
    """A refusal: frame has code, detail, retry and outcome."""

    def __init__(self, frame):
        super().__init__(f"{frame['code']}: {frame['detail']}")
        self.frame = frame


class Troupe:
    def __init__(self, url, token=None, timeout=10):
        at = urlsplit(url)
        self.socket = socket.create_connection((at.hostname, at.port), timeout)
        self.stream = self.socket.makefile("rb")
        self.inbox, self.last_id = [], 0
        key = base64.b64encode(os.urandom(16)).decode()
        head = [f"GET /v1/ws HTTP/1.1\r\nHost: {at.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: troupe.v1.json\r\n",
                f"Authorization: Bearer {token}\r\n" if token else "", "\r\n"]
        self.socket.sendall("".join(head).encode())
        status = self.stream.readline().decode().strip()
        headers = {}
        while line := self.stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        proof = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        if headers.get("sec-websocket-accept") != base64.b64encode(proof).decode():
            body = self.stream.read(int(headers.get("content-length", 0)))
            raise ConnectionError(f"{status}: {body.decode(errors='replace')}")

    def _write(self, opcode, data):
        """One frame (RFC 6455, part 5.2); what a client sends is masked."""
        mask, size = os.urandom(4), len(data)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def _read(self):
        """The next message of the node. Its pings are answered on the way."""
        message = b""
        while True:
            first, size = struct.unpack("!BB", self._exactly(2))
            if size > 125:
                size = struct.unpack("!H" if size == 126 else "!Q", self._exactly(2 if size == 126 else 8))[0]
            opcode, data = first & 15, self._exactly(size)
            if opcode == 8:
                raise ConnectionError(f"closed with {struct.unpack('!H', data[:2])[0] if data else 1005}")
            if opcode == 9:
                self._write(10, data)
            if opcode < 8:
                message += data
                if first & 0x80:
                    return json.loads(message)

    def _exactly(self, size):
        data = self.stream.read(size)
        if len(data) < size:
            raise ConnectionError("the connection is gone")
        return data

    def send(self, op, **members):
        self._write(1, json.dumps({"op": op, **members}).encode())

    def ask(self, op, **members):
        """Send a frame with an id of its own; returns the id and the body of the reply."""
        self.last_id += 1
        self.send(op, id=self.last_id, **members)
        frame = self.next(lambda frame: frame.get("id") == self.last_id and frame["op"] in ("reply", "error"))
        if frame["op"] == "error":
            raise TroupeError(frame)
        return self.last_id, frame.get("body")

    def call(self, to, type, body=None, **members):
        return self.ask("call", to=to, type=type, body=body, **members)[1]

    def next(self, wanted=lambda frame: True):
        """The next frame that is wanted; those that are not wait their turn."""
        for i, frame in enumerate(self.inbox):
            if wanted(frame):
                return self.inbox.pop(i)
        while not wanted(frame := self._read()):
            self.inbox.append(frame)
        return frame

    def close(self):
        self.send("bye")
        self._write(8, struct.pack("!H", 1000))
        self.socket.close()


if __name__ == "__main__":
    troupe = Troupe(sys.argv[1], os.environ.get("TROUPE_TOKEN"))
    troupe.ask("spawn", behavior="counter", name="visits", if_exists="return")
    print("call:", troupe.call("@visits", "add", {"by": 1}))
    troupe.ask("spawn", behavior="topic", name="news", if_exists="return")
    subscription, _ = troupe.ask("subscribe", to="@news")
    troupe.send("publish", to="@news", type="headline", body="Actors everywhere")
    print("event:", troupe.next(lambda frame: frame["op"] == "event" and frame["id"] == subscription)["body"])
    monitor, _ = troupe.ask("monitor", to="@visits")
    troupe.ask("stop", to="@visits", reason="closing time")
    print("down:", troupe.next(lambda frame: frame["op"] == "down" and frame["id"] == monitor)["cause"])
    try:
        troupe.call("@visits", "get")
    except TroupeError as error:
        print("error:", error)
    troupe.close()
