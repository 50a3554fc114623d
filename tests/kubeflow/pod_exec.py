"""``pods/exec`` as Kubernetes documents it: a WebSocket, subprotocol v4.channel.k8s.io, the first byte of each message
its channel. The command is a process of this machine, whose Python stands in for the image's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol
from websockets.utils import accept_key

REPOSITORY = Path(__file__).resolve().parents[2]
SUBPROTOCOL = "v4.channel.k8s.io"
STDIN, STDOUT, _STDERR, _STATUS = range(4)


def response_headers(key: str) -> dict[str, str]:
    """Those of the answer that turns the connection into a WebSocket."""
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(key),
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }


def serve(
    connection: socket, command: list[str], *, folder: Path, most_bytes: int | None, flips: Collection[int]
) -> None:
    """Run the command for whoever is at the other end.

    Args:
        most_bytes: the connection breaks once so much of its input, or of its output, has passed.
        flips: channels on which a bit of what passes is changed.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "PYTHONPATH": str(REPOSITORY),
        },
    )
    Session(connection, process, most_bytes=most_bytes, flips=flips).run()


class Session:
    """One command, and the connection that it is heard and told through."""

    def __init__(
        self, connection: socket, process: subprocess.Popen[bytes], *, most_bytes: int | None, flips: Collection[int]
    ) -> None:
        self._connection = connection
        self._process = process
        self._left = most_bytes
        self._flips = flips
        self._protocol = Protocol(SERVER, state=OPEN, max_size=1 << 25)
        self._lock = threading.Lock()

    def run(self) -> None:
        reader = threading.Thread(target=self._listen, daemon=True)
        reader.start()
        streams = [
            threading.Thread(target=self._forward, args=(channel, stream), daemon=True)
            for channel, stream in ((STDOUT, self._process.stdout), (_STDERR, self._process.stderr))
        ]
        for stream in streams:
            stream.start()
        for stream in streams:
            stream.join()
        self._say(_STATUS, json.dumps(ending(self._process.wait())).encode())
        with self._lock, suppress(OSError):
            self._protocol.send_close(1000)
            self._flush()
        reader.join(timeout=5)
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]

    def _listen(self) -> None:
        """Hand what arrives on channel 0 to the command."""
        with suppress(OSError, ValueError):
            while data := self._connection.recv(1 << 16):
                with self._lock:
                    self._protocol.receive_data(data)
                    events = self._protocol.events_received()
                    self._flush()
                for frame in events:
                    self._take(frame)

    def _take(self, frame: Any) -> None:
        if not isinstance(frame, Frame) or frame.opcode is not Opcode.BINARY or frame.data[0] != STDIN:
            return
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(self._passed(STDIN, bytes(frame.data[1:])))
        stdin.flush()

    def _forward(self, channel: int, stream: Any) -> None:
        with suppress(OSError, ValueError), stream:
            while data := stream.read1(1 << 15):
                self._say(channel, self._passed(channel, data))

    def _passed(self, channel: int, data: bytes) -> bytes:
        """What gets through of the data."""
        if self._left is not None and channel in (STDIN, STDOUT):
            self._left -= len(data)
            if self._left < 0:
                with suppress(OSError):
                    self._connection.shutdown(2)
                self._process.kill()
        return bytes([data[0] ^ 1]) + data[1:] if channel in self._flips else data

    def _say(self, channel: int, data: bytes) -> None:
        with self._lock, suppress(OSError):
            self._protocol.send_binary(bytes([channel]) + data)
            self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._connection.sendall(data)


def ending(code: int) -> dict[str, Any]:
    """How Kubernetes says that a command has ended."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
