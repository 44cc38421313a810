"""Stands between the clients and the broker, frame by frame: notes which APIs each client uses, and loses an answer when it is told to."""

import asyncio
import struct
import threading
from collections import defaultdict

PRODUCE = 0


class Proxy:
    """Listens on a port of the loopback, which the broker advertises as its own."""

    def __init__(self):
        self.broker_port = None
        # {client id: {API key: newest version}}
        self.used = defaultdict(dict)
        # Whose next Produce is carried out, and its answer lost.
        self.losing = set()
        self.lost = set()
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def serve(self, reader, writer):
        """One connection: it ends at both sides when it ends at one."""
        try:
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            writer.close()
            return
        doomed = set()
        ways = [
            asyncio.ensure_future(self.carry_requests(reader, broker_writer, doomed)),
            asyncio.ensure_future(self.carry_answers(broker_reader, writer, doomed))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        broker_writer.close()
        writer.close()

    async def carry_requests(self, reader, writer, doomed):
        """Requests to the broker; those whose answer is to be lost are remembered by their number."""
        while frame := await whole_frame(reader):
            key, version, correlation_id, client_id = header(frame)
            self.used[client_id][key] = max(version, self.used[client_id].get(key, 0))
            if key == PRODUCE and client_id in self.losing:
                self.losing.discard(client_id)
                doomed.add(correlation_id)
                self.lost.add(client_id)
            await forward(writer, frame)

    async def carry_answers(self, reader, writer, doomed):
        """Answers to the client, up to one that is lost."""
        while frame := await whole_frame(reader):
            if struct.unpack_from(">i", frame)[0] in doomed:
                return
            await forward(writer, frame)


async def whole_frame(reader):
    """What stands behind the next size, or nothing at the end of a connection."""
    try:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, OSError):
        return None


async def forward(writer, frame):
    """A frame behind its size."""
    writer.write(struct.pack(">i", len(frame)) + frame)
    await writer.drain()


def header(frame):
    """API key, version, correlation id and client id of a request."""
    key, version, correlation_id, length = struct.unpack_from(">hhih", frame)
    return key, version, correlation_id, frame[10:10 + max(length, 0)].decode(errors="replace")
