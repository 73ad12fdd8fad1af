"""Runs the example transactions of tests/data/flows through a real gateway, in real time, and says what differs."""

import asyncio
import json
import time

import yaml

from case_files import body_of, fields_of, folders, read, seconds, to_json
from scripted_ends import ADDRESSES, PAUSE, UNREACHABLE, Answer, Callers, Provider, split_url

PATIENCE = 10  # seconds until what should happen at once is missed
IN_LINE = "lunar_processor_queue_requests_in_queue"
NOT_CONFIGURATION = ("tests", "expected", "environment")


class Late(Exception):
    """The machine was too slow for the instants of a case: what it showed says nothing."""


class Missed(Exception):
    """What a step waited for did not happen."""


async def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Missed(what)
        await asyncio.sleep(PAUSE)


class Pace:
    """The instants of a case. All steps of one instant take some time here; what shall have happened later is looked at
    late, counted from the last of them, and what shall not have happened yet early, counted from the first."""

    MARGIN = 0.2

    def __init__(self):
        self.begin = time.monotonic()
        self.instant = 0.0  # seconds that have passed in the case
        self._owed = 0.0

    def ends_before(self, following):
        """Until when the steps of this instant say something, if the next one is `following` seconds later."""
        return self.begin + self.instant + following

    async def advance(self, duration, following):
        now = time.monotonic()
        late, early = now + duration + self._owed, self.ends_before(duration + following) - self.MARGIN
        if early < now:
            raise Late
        self.instant += duration
        self._owed = max(0.0, late - early)
        await asyncio.sleep(min(late, early) - now)


class Stage:
    """The gateway, callers and a provider, for one case after the other."""

    def __init__(self, world, internet, lunard):
        self.lunard, self._internet = lunard, internet
        self.loop = asyncio.new_event_loop()
        self.calls = {}
        self.provider = Provider(world, self.loop, self.calls)
        self.callers = Callers(world, self.loop, self.calls)
        self._placed = []

    def close(self):
        self.callers.close()
        self.provider.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    def load(self, folder):
        """A folder as the configuration, with nothing counted, cached or waiting: what no configuration names is
        forgotten. Returns the findings, as they are printed."""
        for path in self._placed:
            path.unlink()
        self._placed.clear()
        self.provider.troubles.clear()
        self._reload()
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and name.parts[0] not in NOT_CONFIGURATION:
                self._place(str(name), path.read_text())
        self._place_certificates(folder / "gateway_config.yaml")
        return self._reload()

    def _place(self, name, text):
        self.lunard.write(name, text)
        self._placed.append(self.lunard.directory / name)

    def _place_certificates(self, path):
        """The files that a gateway_config.yaml names are not in its folder: they would expire."""
        config = read(yaml.compose(path.read_text())) if path.exists() else None
        made = self._internet.directory
        for entry in (config or {}).get("mTLS") or []:
            self._place(entry["cert"], (made / "server.key").read_text() + (made / "server.pem").read_text())
            if "ca" in entry:
                self._place(entry["ca"], self._internet.ca.read_text())

    def _reload(self):
        status, answer = self.lunard.control("POST", "/load_flows")
        assert status == 200, answer
        return [f"{one['file']}:{one['line']}:{one['column']}: {one['severity']}: {one['text']} [{one['id']}]" for one in answer["diagnostics"]]

    def lines(self, call):
        """What the access log says of the attempts of a call that have ended."""
        return [line for line in self.lunard.lines() if line["process"].get("pid") == call.pid]

    def play(self, case, steps, otherwise):
        """What differs from what these steps of a case expect."""
        folder = next(path for path in folders() if path.name == case.folder)
        for _ in range(3):
            self.load(folder)
            try:
                return self.loop.run_until_complete(_Play(self, otherwise).run(steps))
            except Late:
                continue
        raise TimeoutError(f"{case}: three times too slow for its instants")


class _Play:
    """One run of a case."""

    def __init__(self, stage, otherwise):
        self.stage = stage
        self.otherwise = otherwise  # header field -> what is expected instead: text, None or a function that returns texts
        self.pace = Pace()
        self.calls, self.named = [], {}
        self.differences = []
        self.line = 0

    async def run(self, steps):
        try:
            await self._take_all(steps)
        finally:
            await self._end()
        return self.differences

    async def _take_all(self, steps):
        for number, step in enumerate(steps):
            self.line = step.line
            following = next((later.advance for later in steps[number + 1:] if later.advance), float("inf"))
            try:
                if step.advance:
                    await self.pace.advance(step.advance, following)
                else:
                    await self._take(step.content)
            except Missed as missed:
                self._differs(str(missed))
            if self.differences and time.monotonic() > self.pace.ends_before(following):
                raise Late
            if self.differences:
                return

    def _differs(self, what):
        self.differences.append(f"line {self.line}: {what}")

    def _compare(self, what, wanted, found):
        if wanted != found:
            self._differs(f"{what}: expected {wanted!r}, found {found!r}")

    # steps

    async def _take(self, content):
        if "leave" in content:
            return await self._leave(self.named[content["leave"]])
        if "request" in content:
            call = self._begin(content["request"])
            self.calls.append(call)
            self.named[content.get("as")] = call
        else:
            call = self.named[content.get("finish") or content["check"]]
        if "check" not in content or "provider" in content:
            self._answer(call, content.get("provider", "200"))
        expected = content.get("expect", {})
        held = content.get("provider") == "hold"
        if expected.get("waiting") == "true" or (held and not expected):
            await until(lambda: call.outcome or self._rests(call), "it neither ends nor waits at the provider, in a line or to be sent again")
        else:
            await until(lambda: call.outcome, "it is still waiting")
        if "flows" in expected:
            await until(lambda: len(self.stage.lines(call)) >= max(1, len(call.sent)), "it is not in the access log")
        self._expect(call, expected)

    def _begin(self, given):
        if isinstance(given, str):
            method, _, url = given.rpartition(" ")
            given = {"method": method or "GET", "url": url}
        method, caller = given.get("method", "GET"), given.get("process", {})
        if not caller.get("exe", "/usr/bin/").startswith("/usr/bin/") or "container" in caller:
            raise ValueError(f"line {self.line}: there is no such caller here")
        body = body_of(given["body"]) if "body" in given else "" if method in ("POST", "PUT", "PATCH") else None
        request = {"method": method, "url": given["url"], "fields": fields_of(given.get("headers")), "body": body}
        unit = caller.get("unit", given.get("consumer_tag", "callers"))
        call = self.stage.callers.begin(request, caller.get("comm", "caller"), unit)
        call.instant = self.pace.instant
        return call

    def _answer(self, call, given):
        if given == "hold":
            return
        call.repeats = isinstance(given, list)
        for one in given if isinstance(given, list) else [given]:
            if one == UNREACHABLE:
                call.answers.append(UNREACHABLE)
            elif isinstance(one, dict):
                call.answers.append(Answer(int(one.get("status", 200)), fields_of(one.get("headers")), body_of(one.get("body", ""))))
            else:
                call.answers.append(Answer(int(one)))

    async def _leave(self, call):
        ended = len(self.stage.lines(call))
        self.stage.callers.leave(call)
        await until(lambda: len(self.stage.lines(call)) > ended, "the gateway does not notice that the client has left")

    def _rests(self, call):
        """Nothing more happens to a call by itself: the provider holds it, it stands in a line or waits to be sent again."""
        if call.at_provider:
            return not call.answers
        if call.sent and len(self.stage.lines(call)) >= len(call.sent):
            return True
        elsewhere = [one for one in self.calls if not one.outcome and not one.at_provider]
        return self.stage.lunard.metric(IN_LINE) == len(elsewhere)

    async def _end(self):
        """Ends what still runs; each call must have gone through the gateway, and none of its own fields beyond it."""
        for call in self.calls:
            if call.outcome is None:
                await until(lambda: call.pid, "a call never began")
                self.stage.callers.leave(call)
        pids = {call.pid for call in self.calls}
        await until(lambda: pids <= {line["process"].get("pid") for line in self.stage.lunard.lines()}, "a call is not in the access log")
        fields = {name.lower() for call in self.calls for sent in call.sent for name, _ in sent.fields}
        self._compare("fields of Lunar at the provider", [], [name for name in fields if name.startswith("x-lunar-")])
        self._compare("troubles of the provider", [], self.stage.provider.troubles)

    # expectations

    def _expect(self, call, expected):
        if call.outcome and expected.get("waiting") == "true":
            return self._differs("expected to wait, but it is done")
        for key, wanted in expected.items():
            getattr(self, f"_expect_{key}")(call, wanted)

    def _expect_waiting(self, call, wanted):
        pass  # see above

    def _expect_status(self, call, wanted):
        self._compare("status", wanted, str(call.outcome["status"]))

    def _expect_headers(self, call, wanted):
        self._compare_fields("header", wanted, call.outcome["fields"])

    def _expect_body(self, call, wanted):
        self._compare("body", wanted, call.outcome["body"])

    def _expect_json(self, call, wanted):
        self._compare_json("body", wanted, call.outcome["body"])

    def _expect_generated(self, call, wanted):
        self._compare("generated", wanted == "true", "x-lunar-generated" in _by_name(call.outcome["fields"]))

    def _expect_attempts(self, call, wanted):
        self._compare("attempts", int(wanted), len(call.sent))

    def _expect_blocked_by(self, call, wanted):
        error = _by_name(call.outcome["fields"]).get("x-lunar-error")
        self._compare("x-lunar-error", "20" if wanted else None, error)
        if wanted and wanted not in call.outcome["body"].split():
            self._differs(f"blocked by: expected {wanted}, the answer says {call.outcome['body']!r}")

    def _expect_flows(self, call, wanted):
        self._compare("flows", wanted, self.stage.lines(call)[-1]["flows"])

    def _expect_waited(self, call, wanted):
        # A lower bound, from the first step on or from its own beginning: no machine is too slow for that.
        begun = min(self.pace.begin + call.instant, call.begun)
        if call.outcome["at"] - begun < seconds(wanted):
            self._differs(f"waited: expected {wanted}, found {call.outcome['at'] - begun:.4f} s")

    def _expect_sent(self, call, wanted):
        if isinstance(wanted, str):
            return self._compare("sent", wanted == "true", bool(call.sent))
        if not call.sent:
            return self._differs("nothing reached the provider")
        sent = call.sent[-1]
        for key, value in wanted.items():
            if key == "headers":
                self._compare_fields("sent header", value, sent.fields)
            elif key == "json":
                self._compare_json("sent body", value, sent.body)
            else:
                self._compare(f"sent {key}", value, getattr(sent, key))

    def _compare_fields(self, what, wanted, found):
        values = _by_name(found)
        for name, value in wanted.items():
            value = self.otherwise.get(name, value)
            if not callable(value):
                self._compare(f"{what} {name}", value, values.get(name.lower()))
            elif values.get(name.lower()) not in value():
                self._differs(f"{what} {name}: expected one of {value()}, found {values.get(name.lower())}")

    def _compare_json(self, what, wanted, found):
        try:
            same = json.dumps(json.loads(found), sort_keys=True) == json.dumps(to_json(wanted), sort_keys=True)
        except ValueError:
            same = False
        if not same:
            self._differs(f"{what}: expected {body_of(wanted)}, found {found!r}")


def _by_name(fields):
    """The first value of each field."""
    return {name.lower(): value for name, value in reversed(fields)}


def hosts_of(cases):
    """Names of the hosts that these cases call, or that a flow sends their requests to."""
    urls = [step.content["request"] for case in cases for step in case.steps if "request" in step.content]
    urls += [step.content["expect"]["sent"] for case in cases for step in case.steps if isinstance(step.content.get("expect", {}).get("sent"), dict)]
    texts = [one if isinstance(one, str) else one.get("url", "") for one in urls]
    hosts = {split_url(text.split(" ")[-1])[1].lower() for text in texts if text}
    return sorted(host for host in hosts if ":" not in host)


def hosts_file(cases):
    """All of them in the form of /etc/hosts, as the provider's."""
    return "".join(f"{ADDRESSES[0]} {host}\n" for host in hosts_of(cases))
