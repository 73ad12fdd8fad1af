"""One end of an HTTP/2 connection, client or server, that does what a test tells it frame by frame. By itself it only answers
SETTINGS and PING, gives windows back, and notes as `faults` what the other side may not do."""

from collections import deque

from hpack import Decoder, Encoder
from hyperframe.frame import (ContinuationFrame, DataFrame, ExtensionFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame,
                              PushPromiseFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame)

from h2_stream import Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TABLE_SIZE, CONCURRENT, WINDOW, FRAME_SIZE, EXTENDED_CONNECT = 1, 3, 4, 5, 8  # of SETTINGS
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, CALM = 0, 1, 2, 7, 8, 11
FIRST_WINDOW, FIRST_FRAME_SIZE = 65535, 16384


def frame(kind, flags, stream, payload):
    """The bytes of any frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Peer:
    def __init__(self, pump, wire, *, client, settings=None):
        self.pump, self.wire, self.client = pump, wire, client
        self.settings = settings or {}          # ours
        self.told, self.is_told = {}, False     # those of the other side
        self.acknowledged = False               # ours, by the other side
        self.host = None                        # whom a client asks
        self.streams = {}
        self.asked = deque()                    # requests whose head has come
        self.serve = None                       # is called with them instead
        self.goaways, self.pongs, self.faults = [], [], []
        self.seen = []                          # what came in which order, as far as tests compare it
        self.credits = True                     # gives windows back
        self.window = self.credit = FIRST_WINDOW
        self._encoder, self._decoder = Encoder(), Decoder(max_header_list_size=1 << 20)
        self._decoder.max_allowed_table_size = self.settings.get(TABLE_SIZE, 4096)
        self._arrived, self._block = bytearray(), None
        self._owed, self._grown = {}, False     # bytes that streams have read; there is more room for our own
        self._preface = b"" if client else PREFACE
        self.next_number = 1
        self._actions = {DataFrame: self._data, HeadersFrame: self._headers, ContinuationFrame: self._continuation, RstStreamFrame: self._reset,
                         SettingsFrame: self._settings, PingFrame: self._ping, GoAwayFrame: self._goaway, WindowUpdateFrame: self._widened,
                         PushPromiseFrame: self._strange, PriorityFrame: self._nothing, ExtensionFrame: self._nothing}
        wire.send(PREFACE if client else b"")
        self.send(SettingsFrame(0, settings=self.settings))

    def __str__(self):
        role = "client" if self.client else "server"
        lines = [f"{role}: end {self.wire.end}, closed {self.wire.closed}, goaways {self.goaways}, window {self.window}, faults {self.faults}"]
        return "\n  ".join([*lines, *map(str, [stream for stream in self.streams.values() if not (stream.ended and stream.finished)][:12])])

    # for the pump

    def fileno(self):
        return self.wire.socket.fileno()

    def wants_input(self):
        return self.wire.wants_input()

    def wants_output(self):
        return self.wire.wants_output()

    def advance(self):
        self._arrived += self.wire.receive()
        if self._preface and len(self._arrived) >= len(PREFACE):
            if not self._arrived.startswith(self._preface):
                self.faults.append(f"no preface but {bytes(self._arrived[:24])}")
            del self._arrived[:len(PREFACE)]
            self._preface = b""
        while not self._preface and (came := self._next_frame()):
            self._actions[type(came)](came)
        self._give_back()
        self._push_all()
        self.wire.flush()

    # asking and being asked

    def ask(self, path="/", method="GET", fields=(), *, end=True, authority=None):
        """A request on a new stream."""
        return self.ask_with([(":method", method), (":scheme", "https" if self.wire.tls else "http"), (":authority", authority or self.host),
                              (":path", path), *fields], end=end)

    def ask_with(self, fields, *, end=True):
        stream = self.streams[self.next_number] = Stream(self, self.next_number)
        self.next_number += 2
        stream.method = dict(fields).get(":method")
        return stream.send_head(fields, end)

    def next_request(self, seconds=5):
        self.pump.until(lambda: self.asked, "a request", seconds)
        return self.asked.popleft()

    def next_requests(self, count):
        return [self.next_request() for _ in range(count)]

    def open_streams(self):
        return [stream for stream in self.streams.values() if stream.open]

    # waiting

    @property
    def ended(self):
        """Nothing more can be asked on this connection."""
        return self.wire.end is not None or bool(self.goaways)

    def until_ended(self):
        self.pump.until(lambda: self.ended, f"GOAWAY or the end of {self}")

    def until_told(self):
        self.pump.until(lambda: self.is_told, f"SETTINGS: {self}")

    def until_closed(self, seconds=5):
        """How."""
        self.pump.until(lambda: self.wire.end is not None, f"the end of {self}", seconds)
        return self.wire.end

    def round_trip(self):
        """All that the other side sent before it had seen what we sent has come."""
        count = len(self.pongs)
        self.send(PingFrame(0, opaque_data=b"%08d" % count))
        self.pump.until(lambda: len(self.pongs) > count, f"the answer to a PING: {self}")

    # sending

    def send(self, *frames):
        for one in frames:
            self.wire.send(one.serialize())

    def send_raw(self, data):
        self.wire.send(data)

    def encode(self, fields):
        return self._encoder.encode(fields)

    def send_block(self, number, fields, end):
        """HEADERS, and CONTINUATION where it is large."""
        block, size = self.encode(fields), self.largest_frame()
        pieces = [block[at:at + size] for at in range(0, len(block), size)] or [b""]
        frames = [HeadersFrame(number, pieces[0], flags=["END_STREAM"] if end else []), *(ContinuationFrame(number, piece) for piece in pieces[1:])]
        frames[-1].flags.add("END_HEADERS")
        self.send(*frames)

    def send_data(self, number, data, end):
        self.send(DataFrame(number, data, flags=["END_STREAM"] if end else []))

    def send_reset(self, number, code):
        self.send(RstStreamFrame(number, error_code=code))

    def send_goaway(self, last, code=NO_ERROR, text=b""):
        self.send(GoAwayFrame(0, last_stream_id=last, error_code=code, additional_data=text))

    def send_settings(self, settings):
        """More of them, behind the first; the credit of streams is not followed."""
        self.send(SettingsFrame(0, settings=settings))

    def widen(self, size, stream=None):
        """Lets the other side send so many more bytes, on a stream or at all."""
        (stream or self).credit += size
        self.send(WindowUpdateFrame(stream.number if stream else 0, window_increment=size))

    def resume(self, stream):
        """Gives back what a stream has kept, and from now on at once."""
        stream.credits = True
        if stream.frames:
            self.widen(len(stream.body))
            if not stream.ended:
                self.widen(len(stream.body), stream)

    def largest_frame(self):
        return self.told.get(FRAME_SIZE, FIRST_FRAME_SIZE)

    def first_window(self):
        return self.told.get(WINDOW, FIRST_WINDOW)

    def first_credit(self):
        ours = self.settings.get(WINDOW, FIRST_WINDOW)
        return ours if self.acknowledged else max(ours, FIRST_WINDOW)

    # what comes

    def _next_frame(self):
        if len(self._arrived) < 9:
            return None
        came, length = Frame.parse_frame_header(memoryview(bytes(self._arrived[:9])))
        if len(self._arrived) < 9 + length:
            return None
        if length > self.settings.get(FRAME_SIZE, FIRST_FRAME_SIZE):
            self.faults.append(f"a frame of {length} bytes")
        came.parse_body(memoryview(bytes(self._arrived[9:9 + length])))
        del self._arrived[:9 + length]
        if self._block and not isinstance(came, ContinuationFrame):
            self.faults.append(f"{came} within a block of fields")
        return came

    def _headers(self, came):
        self._block = (came.stream_id, "END_STREAM" in came.flags, bytearray())
        self._continuation(came)

    def _continuation(self, came):
        number, ended, block = self._block
        block += came.data
        if "END_HEADERS" not in came.flags:
            return
        self._block = None
        fields = [(str(name), str(value)) for name, value in self._decoder.decode(bytes(block))]
        stream = self.streams.get(number) or self._begun(number)
        if stream is None:
            return
        self.seen.append(f"head {number}")
        first = not stream.heads
        stream.take_head(fields, ended)
        self._note_end(stream, ended)
        if first and not self.client:
            self.serve(stream) if self.serve else self.asked.append(stream)

    def _begun(self, number):
        if self.client or number % 2 == 0 or number <= max(self.streams, default=0):
            self.faults.append(f"HEADERS on stream {number}, which cannot be")
            return None
        stream = self.streams[number] = Stream(self, number)
        if self.acknowledged and len(self.open_streams()) > self.settings.get(CONCURRENT, 1 << 31):
            self.faults.append(f"{len(self.open_streams())} streams at once")
        return stream

    def _data(self, came):
        stream, size, ended = self.streams.get(came.stream_id), came.flow_controlled_length, "END_STREAM" in came.flags
        if stream is None:
            self.faults.append(f"DATA on stream {came.stream_id}, which was not opened")
            return
        self.credit -= size
        stream.credit -= size
        if min(self.credit, stream.credit) < 0:
            self.faults.append(f"more than the window of {min(self.credit, stream.credit)}: {stream}")
        stream.take_data(came.data, ended)
        self._note_end(stream, ended)
        if size and (stream.credits or stream.was_reset):
            self._owed[stream] = self._owed.get(stream, 0) + size

    def _give_back(self):
        """For all that came together, so that frames do not become small."""
        owed, self._owed = self._owed, {}
        if owed:
            self.widen(sum(owed.values()))
        for stream, size in owed.items():
            if not stream.ended and not stream.was_reset:
                self.widen(size, stream)

    def _note_end(self, stream, ended):
        if ended:
            self.seen.append(f"end {stream.number}")

    def _reset(self, came):
        stream = self.streams.get(came.stream_id)
        if stream is None:
            self.faults.append(f"RST_STREAM on stream {came.stream_id}, which was not opened")
            return
        self.seen.append(f"reset {stream.number}")
        stream.reset = came.error_code

    def _settings(self, came):
        if "ACK" in came.flags:
            self._acknowledge()
            return
        delta = came.settings.get(WINDOW, self.first_window()) - self.first_window()
        self.told.update(came.settings)
        self.is_told = True
        if TABLE_SIZE in came.settings:
            self._encoder.header_table_size = min(came.settings[TABLE_SIZE], 4096)
        self.send(SettingsFrame(0, flags=["ACK"]))
        for stream in self.streams.values():
            stream.window += delta
        self._grown = True

    def _acknowledge(self):
        if not self.acknowledged:
            before = self.first_credit()
            self.acknowledged = True
            for stream in self.streams.values():
                stream.credit += self.first_credit() - before

    def _ping(self, came):
        if "ACK" in came.flags:
            self.pongs.append(bytes(came.opaque_data))
        else:
            self.send(PingFrame(0, came.opaque_data, flags=["ACK"]))

    def _goaway(self, came):
        self.seen.append("goaway")
        self.goaways.append((came.last_stream_id, came.error_code, bytes(came.additional_data)))

    def _widened(self, came):
        if came.stream_id == 0:
            self.window += came.window_increment
        elif (stream := self.streams.get(came.stream_id)):
            stream.window += came.window_increment
        else:
            self.faults.append(f"WINDOW_UPDATE on stream {came.stream_id}, which was not opened")
        self._grown = True

    def _push_all(self):
        if self._grown:
            self._grown = False
            for stream in [stream for stream in self.streams.values() if stream.unsent]:
                stream.push()

    def _strange(self, came):
        self.faults.append(f"{came}, which was not asked for")

    def _nothing(self, came):
        self.seen.append(f"frame {came.type}")
