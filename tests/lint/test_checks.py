"""Each lint finds what it is for: a bad example, and the good one beside it."""

import budgets
import documents
import layering
import purity
import rules

EXISTING = {"agent/base/fd.h", "agent/net/resolver.h", "agent/redirect/hook.h", "agent/admin/wire.h",
            "agent/admin/routes.h", "agent/gateway/gateway.h", "bpf/lunar_abi.h", "bpf/lunar_maps.h",
            "flowengine/result.h", "README.md", "agent/README.md"}


def includes(path, included):
    return [finding.text for finding in layering.check_includes(path, f'#include "{included}"\n', EXISTING)]


def test_layering_refuses_upward_sideways_and_unknown_includes():
    assert includes("agent/net/resolver.cpp", "agent/base/fd.h") == []
    assert includes("agent/net/resolver.cpp", "agent/net/resolver.h") == []
    assert includes("agent/main.cpp", "agent/gateway/gateway.h") == []
    assert includes("agent/base/fd.cpp", "agent/net/resolver.h") != []
    assert includes("agent/net/resolver.cpp", "agent/redirect/hook.h") != []
    assert includes("agent/admin/routes.cpp", "agent/gateway/gateway.h") != []
    assert includes("agent/base/fd.cpp", "fd.h") != []
    assert includes("flowengine/result.cpp", "agent/base/fd.h") != []


def test_layering_knows_what_bpf_and_cli_may_see():
    assert includes("agent/redirect/hook.cpp", "bpf/lunar_abi.h") == []
    assert includes("agent/redirect/hook.cpp", "bpf/lunar_maps.h") != []
    assert includes("tests/bpf/policy_test.cpp", "bpf/lunar_maps.h") == []
    assert includes("cli/verbs.cpp", "agent/admin/wire.h") == []
    assert includes("cli/verbs.cpp", "flowengine/result.h") == []
    assert includes("cli/verbs.cpp", "agent/admin/routes.h") != []
    assert includes("cli/verbs.cpp", "agent/base/fd.h") != []


def test_libraries_have_one_home():
    assert layering.check_homes("agent/uring/ring.cpp", "#include <liburing.h>\n") == []
    (finding,) = layering.check_homes("agent/gateway/session.cpp", "// ring\n#include <liburing.h>\n")
    assert finding.line == 2


def test_routes_stand_in_one_header():
    known = layering.routes('inline std::string_view kSocket = "/run/x";\nnamespace route {\n'
                            'inline std::string_view kTop = "/top";\ninline std::string_view kTail =\n    "/tail";\n'
                            '}  // namespace route\nnamespace key {\ninline const char* kPid = "/pid";\n}\n')
    assert known == {"/top", "/tail"}
    assert [finding.line for finding in layering.check_routes("cli/top.cpp", '\nask("/tail");\n', known)] == [2]
    assert layering.check_routes("cli/top.cpp", 'ask(route::kTail, "/tail/x");\n', known) == []
    assert layering.check_routes(layering.ROUTES, '"/tail"', known) == []


def test_purity_sees_an_effect_by_its_symbol():
    bad = "lib.a:plan.cpp.o:                  U clock_gettime\nlib.a:plan.cpp.o:     U getenv@GLIBC_2.2.5\n"
    assert [finding.text.partition(":")[0] for finding in purity.check_symbols(bad, "x")] == ["clock_gettime", "getenv"]
    assert purity.check_symbols("lib.a:plan.cpp.o:                  U memcpy\n", "x") == []


def test_length_allows_600_lines_for_a_reason():
    assert budgets.check_length("agent/net/a.cpp", "\n" * 400) == []
    assert budgets.check_length("agent/net/a.cpp", "\n" * 401) != []
    assert budgets.check_length("agent/net/a.cpp", "// Long file: one table.\n" + "\n" * 500) == []
    assert budgets.check_length("agent/net/a.cpp", "// Long file: one table.\n" + "\n" * 600) != []
    assert budgets.check_length("agent/main.cpp", "\n" * 151) != []


def test_names_that_say_nothing_are_refused():
    for name in ("agent/net/socket_util.h", "agent/net/utils.cpp", "cli/output_helper.cpp", "tests/net/base_test.cpp"):
        assert budgets.check_file_name(name) != [], name
    for name in ("agent/base/fd.h", "agent/base/database.h", "tests/base/endpoint_test.cpp"):
        assert budgets.check_file_name(name) == [], name
    assert budgets.check_class_names("x.h", "class ConnectionManager {\n") != []
    assert budgets.check_class_names("x.h", "struct PeerInfo final : Peer\n{") != []
    assert budgets.check_class_names("x.h", "struct addrinfo;\nclass Upstream {\nstruct nl_data;\n") == []


def test_unfinished_work_and_skips_are_found():
    assert budgets.check_finished("x.cpp", "int a;  // TO" "DO: more\n")[0].line == 1
    assert budgets.check_finished("x.cpp", "auto todo = 1;\n") == []
    assert budgets.check_skips("tests/x.py", "\n@pytest.mark." "skipif(True)\n")[0].line == 2
    assert budgets.check_skips("tests/x.py", "skipped = 0\n") == []


def test_links_and_rooms():
    def links(source):
        return documents.check_links("agent/README.md", source, EXISTING, lambda _: "# Two words\n")

    assert links("[up](../README.md) [web](https://example.com) [here](#two-words)") == []
    assert len(links("[a](missing.md)\n[b](../README.md#other)")) == 2
    assert links("```\n[a](missing.md)\n```\n") == []
    assert documents.check_top_level(["README.md", "agent/main.cpp"]) == []
    assert [finding.path for finding in documents.check_top_level(["notes.txt"])] == ["notes.txt"]
    found = documents.check_readmes(["agent/README.md", "agent/net/a.cpp", "tests/README.md", "tests/net/data/x"])
    assert [finding.path for finding in found] == ["agent/net/README.md", "tests/net/README.md"]


def test_rules_name_tests_that_exist():
    known = rules.shown_by("tests/x_test.cpp", 'TEST_CASE("a: says \\"b\\"") {\nTEST_CASE(\n    "long "\n    "name") {\n')
    assert known == {'a: says "b"', "long name"}
    assert rules.shown_by("tests/e2e/test_x.py", "def helps():\ndef test_a(x):\n    def test_inner():\n") == {"test_a"}
    assert rules.shown_by("tests/data/flows/cache/tests/a.yaml", "") == {"flows/cache"}
    assert rules.shown_by("tests/data/bad/circular.yaml", "") == {"bad/circular"}
    assert rules.shown_by("tests/data/README.md", "") == set()

    def lines(source):
        return [finding.line for finding in rules.check_rules(rules.RULES, source, {"long name", "flows/cache"})]

    assert lines('"1.1":\n  a rule: [long name, flows/cache]\n  another: &same [long name]\n"1.2":\n  a rule: *same\n') == []
    assert lines('"1.1":\n  a rule:\n    - long name\n    - flows/none\n') == [4]
    assert lines('"1.1":\n  empty: []\n  text: long name\n  nothing:\n') == [2, 3, 4]
    assert lines('"1.1":\n  a rule: [long name]\n  a rule: [long name]\n') == [3]
