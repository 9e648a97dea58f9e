from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns.nsswitch import Action, Module, NsSwitch, parse_nsswitch

FIXTURES = Path(__file__).parent.parent / "fixtures" / "nsswitch"
RETURN, CONTINUE, MERGE = Action.RETURN, Action.CONTINUE, Action.MERGE
FILES, DNS = Module("files"), Module("dns")


def actions(**after: Action) -> tuple[Action, ...]:
    defaults = {"success": RETURN, "notfound": CONTINUE, "unavail": CONTINUE, "tryagain": CONTINUE}
    return tuple((defaults | after).values())


@pytest.mark.parametrize(
    ("fixture", "hosts"),
    [
        (
            "debian.conf",
            (FILES, Module("mdns4_minimal", actions(notfound=RETURN)), DNS, Module("myhostname")),
        ),
        (
            "resolved.conf",
            (
                Module("mymachines"),
                Module("resolve", actions(notfound=RETURN, tryagain=RETURN)),
                FILES,
                Module("myhostname"),
                DNS,
            ),
        ),
        ("silent.conf", (FILES, DNS)),
    ],
)
def test_files_are_read_as_glibc_reads_them(fixture, hosts):
    assert parse_nsswitch((FIXTURES / fixture).read_bytes()) == NsSwitch(hosts)


@pytest.mark.parametrize(
    ("content", "hosts"),
    [
        ("", (FILES, DNS)),
        ("hosts: dns\n", (DNS,)),
        ("hosts: dns", (FILES, DNS)),  # a line is not there before its newline is
        ("hosts:dns\n", (DNS,)),
        ("\t hosts  :: dns\r\n", (DNS,)),
        ("hosts dns\n", (DNS,)),
        ("HOSTS: dns\n", (FILES, DNS)),
        ("hosts:\n", ()),
        ("hosts\n", ()),
        ("hosts\0: dns\n", (FILES, DNS)),
        ("hosts: files\0 dns\n", (FILES,)),
        ("hosts: dns\nhosts: files\n", (FILES,)),
        ("hosts: files # dns\n", (FILES, Module("#"), DNS)),
        ("hosts: files [NOTFOUND=return] [x] dns\n", (Module("files", actions(notfound=RETURN)),)),
        ("hosts: [NOTFOUND=return] dns\n", ()),
        ("sudoers: files [x\nhosts: dns\n", (DNS,)),
    ],
)
def test_the_last_complete_hosts_line_counts(content, hosts):
    assert parse_nsswitch(content.encode()) == NsSwitch(hosts)


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ("[NOTFOUND=return]", actions(notfound=RETURN)),
        ("[notfound=RETURN]", actions(notfound=RETURN)),
        ("[ UNAVAIL = return TRYAGAIN\t=return ]", actions(unavail=RETURN, tryagain=RETURN)),
        ("[SUCCESS=continue]", actions(success=CONTINUE)),
        ("[SUCCESS=merge]", actions(success=MERGE)),
        ("[!SUCCESS=return]", (RETURN, RETURN, RETURN, RETURN)),
        ("[!UNAVAIL=return]", (RETURN, RETURN, CONTINUE, RETURN)),
        ("[!NOTFOUND=continue]", (CONTINUE, CONTINUE, CONTINUE, CONTINUE)),
        ("[NOTFOUND=return !NOTFOUND=merge]", (MERGE, RETURN, MERGE, MERGE)),
    ],
)
def test_criteria_say_what_to_do_after_each_status(criteria, expected):
    [module, follower] = parse_nsswitch(f"hosts: files{criteria}dns\n".encode()).hosts
    assert module == Module("files", expected)
    assert follower == DNS


@pytest.mark.parametrize(
    "criteria",
    [
        "[",
        "[]",
        "[NOTFOUND]",
        "[NOTFOUND=]",
        "[NOTFOUND=return",
        "[! NOTFOUND=return]",
        "[X=return]",
        "[NOTFOUND=stop]",
        "[NOTFOUND=returnUNAVAIL=return]",
        "[=return]",
        "[NOTFOUND==return]",
    ],
)
@pytest.mark.parametrize("database", ["hosts", "passwd"])
def test_a_bad_criterion_of_any_database_spoils_the_file(database, criteria):
    content = f"hosts: dns\n{database}: files {criteria} dns\nhosts: dns\n"
    assert parse_nsswitch(content.encode()) == NsSwitch((FILES, DNS), is_malformed=True)


def test_a_malformed_file_leaves_the_default():
    parsed = parse_nsswitch((FIXTURES / "malformed.conf").read_bytes())
    assert parsed.is_malformed
    assert parsed.hosts == (FILES, DNS)


words = st.sampled_from(
    [b"hosts:", b" ", b"files", b"[", b"!", b"NOTFOUND", b"=", b"return", b"]", b"\n", b"\0"]
)


@given(st.binary(max_size=80) | st.lists(words, max_size=30).map(b"".join))
def test_any_octets_are_read(content):
    parsed = parse_nsswitch(content)
    assert not parsed.is_malformed or parsed.hosts == (FILES, DNS)
    assert all(module.name and module.name.isascii() for module in parsed.hosts)
