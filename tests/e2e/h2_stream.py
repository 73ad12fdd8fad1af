"""One stream of an h2_peer.Peer: what came on it, and what is sent on it within the windows of the other side."""

PER_CONNECTION = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


def faults_of_fields(fields):
    """What RFC 9113 §8.2 forbids in them."""
    names = [name for name, _ in fields]
    ordinary = [number for number, name in enumerate(names) if not name.startswith(":")]
    found = [f"the field {name}" for name in names if name != name.lower() or name in PER_CONNECTION]
    found += [f"the value of {name}" for name, value in fields if value != value.strip() or "\n" in value or "\0" in value]
    if ordinary and any(name.startswith(":") for name in names[ordinary[0]:]):
        found.append("a pseudo-header field behind another field")
    return found


class Stream:
    def __init__(self, peer, number):
        self.peer, self.number = peer, number
        self.heads = []           # lists of (name, value), in the order in which they came, trailers included
        self.head = None          # the final one as a dict
        self.body = bytearray()
        self.frames = 0           # of DATA that came
        self.ended = False        # by END_STREAM of the other side
        self.ended_by_head = False
        self.reset = None         # the code of RST_STREAM of the other side
        self.credits = peer.credits
        self.window, self.credit = peer.first_window(), peer.first_credit()  # what we may send, and the other side
        self.method = None        # of the request that this side has sent
        self.finished = False     # we have sent END_STREAM or RST_STREAM
        self.was_reset = False    # we have sent RST_STREAM
        self.sent = 0             # bytes of DATA
        self._unsent, self._last = bytearray(), None

    def __str__(self):
        state = f"{len(self.heads)} heads, {len(self.body)} bytes, ended {self.ended}, reset {self.reset}"
        return f"stream {self.number}: came {state}; sent {self.sent}, {len(self._unsent)} wait, window {self.window}"

    # what came

    @property
    def status(self):
        return self.head.get(":status") if self.head else None

    @property
    def interim(self):
        return [head for head in self.heads if dict(head).get(":status", "").startswith("1")]

    @property
    def trailers(self):
        trailers = [head for head in self.heads if not head or not head[0][0].startswith(":")]
        return trailers[0] if trailers else None

    @property
    def fields(self):
        """Those of the final head that do not begin with a colon, as a list."""
        return next([(name, value) for name, value in head if not name.startswith(":")] for head in self.heads if dict(head) == self.head)

    @property
    def open(self):
        return self.reset is None and not self.was_reset and not (self.ended and self.finished)

    @property
    def refused(self):
        """The other side has said that it has not looked at this request."""
        above = [last for last, *_ in self.peer.goaways if last < self.number]
        return self.reset == 7 or bool(above)

    # waiting for it

    def until_head(self):
        self.peer.pump.until(lambda: self.head, f"the head of {self}")
        return self

    def until_bytes(self, count):
        self.peer.pump.until(lambda: len(self.body) >= count, f"{count} bytes of {self}")
        return self

    def until_end(self, seconds=5):
        self.peer.pump.until(lambda: self.ended, f"the end of {self}", seconds)
        return self

    def until_reset(self):
        """The code."""
        self.peer.pump.until(lambda: self.reset is not None, f"a reset of {self}")
        return self.reset

    # what comes, told by the peer

    def take_head(self, fields, ended):
        if self.was_reset:
            return  # it was on its way
        self._judge(fields)
        self.heads.append(fields)
        if self.head is None and not dict(fields).get(":status", "").startswith("1"):
            self.head = dict(fields)
        self._take_end(ended)
        self.ended_by_head = ended

    def take_data(self, data, ended):
        if self.was_reset:
            return
        if self.ended or self.reset is not None or not self.head:
            self.peer.faults.append(f"DATA where none can be: {self}")
        self.body += data
        self.frames += 1
        self._take_end(ended)

    def _take_end(self, ended):
        self.ended = self.ended or ended
        length = self.head.get("content-length") if self.head and ended else None
        without_body = self.method == "HEAD" or self.status == "304"
        if length is not None and not without_body and int(length) != len(self.body):
            self.peer.faults.append(f"content-length {length}: {self}")

    def _judge(self, fields):
        if self.ended or self.reset is not None:
            self.peer.faults.append(f"HEADERS where none can be: {self}")
        self.peer.faults.extend(f"{fault}: {self}" for fault in faults_of_fields(fields))

    # what is sent

    def send_head(self, fields, end=False):
        self.peer.send_block(self.number, fields, end)
        self.finished = self.finished or end
        return self

    def answer(self, status=200, fields=(), body=None):
        """A whole answer; the body None: END_STREAM comes with the head."""
        self.send_head([(":status", str(status)), *fields], end=body is None)
        return self if body is None else self.send(body, end=True)

    def send(self, data, end=False):
        self._unsent += data
        if end:
            self._last = "end"
        self.push()
        return self

    def send_trailers(self, fields):
        """Behind all that has been given to send."""
        self._last = fields
        self.push()
        return self

    def send_reset(self, code):
        self.was_reset = self.finished = True
        self._unsent.clear()
        self.peer.send_reset(self.number, code)
        return self

    def push(self):
        """Sends what the windows allow."""
        if self.finished or self.reset is not None:
            return
        while self._unsent and (size := min(len(self._unsent), self.window, self.peer.window, self.peer.largest_frame())) > 0:
            self._frame(size, self._last == "end" and size == len(self._unsent))
        if self._unsent or self._last is None or self.finished:
            return
        if self._last == "end":
            self._frame(0, True)
        else:
            self.send_head(self._last, end=True)

    def _frame(self, size, end):
        self.peer.send_data(self.number, bytes(self._unsent[:size]), end)
        del self._unsent[:size]
        self.sent += size
        self.window -= size
        self.peer.window -= size
        self.finished = end

    @property
    def unsent(self):
        return len(self._unsent)
