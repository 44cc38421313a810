"""Requests and answers over one connection."""

import socket
import struct

from broker import receive
from codec import Malformed, decode, encode, request_header, response_header_size
from schema import apis, request, response

ANSWER_SECONDS = 5
CLIENT_ID = "differential"
KEYS = {name: key for key, name in apis().items()}


def framed(content):
    """The content behind its size."""
    return struct.pack(">i", len(content)) + content


def whole_request(api, version, fields, correlation_id, client_id=CLIENT_ID):
    """A request as it goes over the wire."""
    message = request(api)
    header = request_header(KEYS[api], version, correlation_id, client_id, version in message.flexible)
    return framed(header + encode(message, version, fields))


def read_answer(api, version, correlation_id, frame):
    """The fields of an answer; fails when it answers another request or does not follow its table."""
    size = response_header_size(api, version in request(api).flexible)
    (found,) = struct.unpack_from(">i", frame)
    if found != correlation_id:
        raise Malformed(f"correlation id {found} instead of {correlation_id}")
    return decode(response(api), answered_version(api, version, frame[size:]), frame[size:])


def answered_version(api, version, body):
    """Who asks for ApiVersions that there are not is answered in version 0."""
    is_refused = api == "ApiVersions" and body[:2] == b"\0\x23"
    return 0 if is_refused else version


class Closed(Exception):
    """The broker has ended the connection."""


class Connection:
    """A connection to a broker. Requests are numbered from 1 on."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = []
        self.last_id = 0

    def send(self, api, version, fields, client_id=CLIENT_ID):
        """Sends a request whose answer is taken later."""
        self.last_id += 1
        self.asked.append((api, version, self.last_id))
        self.send_bytes(whole_request(api, version, fields, self.last_id, client_id))

    def send_bytes(self, data):
        """Sends what need not be a request."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed from error

    def receive_frame(self):
        """The next answer without its size."""
        try:
            (size,) = struct.unpack(">i", receive(self.socket, 4))
            return receive(self.socket, size)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed from error

    def receive(self):
        """The answer to the oldest request that has none yet."""
        api, version, correlation_id = self.asked.pop(0)
        return read_answer(api, version, correlation_id, self.receive_frame())

    def forget(self):
        """The newest request will have no answer."""
        self.asked.pop()

    def ask(self, api, version, fields):
        """A request and its answer."""
        self.send(api, version, fields)
        return self.receive()

    def close(self):
        """Ends the connection."""
        self.socket.close()
