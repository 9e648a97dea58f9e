"""Holds gdns._wire to the RFCs, beside dnspython reading the same octets."""

import copy
import pickle
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns._wire import BadName, Question, Refusal, Reply, build_query, read

A, NS, CNAME, SOA, PTR, TXT, RP, AAAA, DNAME, OPT, DS, SSHFP = 1, 2, 5, 6, 12, 16, 17, 28, 39, 41, 43, 44
NSEC, TLSA, HTTPS, TSIG, ANY, CAA, OPAQUE, RRSIG = 47, 52, 65, 250, 255, 257, 65280, 46
TC, QR = 0x0200, 0x8000
WWW = Question("www.example.", A)
RECORDS = 12 + len(WWW.wire)  # where the records of a reply to WWW begin
TO_QNAME = b"\xc0\x0c"

# Every type whose format gdns._wire knows, with rdata that any reader has to take.
RDATA = {
    "A": ["192.0.2.1"],
    "AAAA": ["2001:db8::1"],
    "NS": ["ns.example."],
    "CNAME": ["host.example."],
    "SOA": ["ns.example. admin.example. 1 2 3 4 300"],
    "PTR": ["host.example."],
    "HINFO": ['"cpu" ""'],
    "MX": ["10 mail.example."],
    "TXT": ['"one"', '"one" "" "three"'],
    "RP": ["admin.example. text.example."],
    "AFSDB": ["1 afs.example."],
    "SRV": ["0 5 5060 sip.example."],
    "NAPTR": ['100 10 "U" "E2U+sip" "!^.*$!sip:a@example.test!" .'],
    "DNAME": ["other.example."],
    "DS": [
        "1 8 1 " + "ab" * 20,
        "1 8 2 " + "ab" * 32,
        "1 8 3 " + "ab" * 32,
        "1 8 4 " + "ab" * 48,
        "1 8 9 ab",
    ],
    "SSHFP": ["4 1 " + "ab" * 20, "4 2 " + "ab" * 32, "4 9 ab"],
    "RRSIG": ["A 8 2 60 20300101000000 20200101000000 1 example. c2ln"],
    "NSEC": ["next.example. A MX TYPE300", "next.example."],
    "DNSKEY": ["256 3 8 c2ln"],
    "TLSA": ["3 1 0 ab", "3 1 1 " + "ab" * 32, "3 1 2 " + "ab" * 64],
    "SVCB": ["1 svc.example. key65000=hello"],
    "HTTPS": [
        "0 svc.example.",
        '1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1',
        '1 . mandatory=alpn,port alpn="h2" no-default-alpn port=443 ech=AAQBAgME',
    ],
    "CAA": ['0 issue "ca.example"', '128 tag ""'],
}
KNOWN = sorted(int(dns.rdatatype.from_text(rdtype)) for rdtype in RDATA)


def header(
    answers: int = 0, authorities: int = 0, others: int = 0, flags: int = QR, questions: int = 1
) -> bytes:
    return struct.pack("!HHHHHH", 7, flags, questions, answers, authorities, others)


def name(text: str) -> bytes:
    return Question(text, A).wire[:-4]


def pointer(at: int) -> bytes:
    return struct.pack("!H", 0xC000 + at)


def record(owner: bytes, rdtype: int, rdata: bytes, ttl: int = 60, rdclass: int = 1) -> bytes:
    return owner + struct.pack("!HHIH", rdtype, rdclass, ttl, len(rdata)) + rdata


def message(
    answers: Sequence[bytes] = (),
    authorities: Sequence[bytes] = (),
    others: Sequence[bytes] = (),
    flags: int = QR,
    question: Question = WWW,
) -> bytes:
    counts = header(len(answers), len(authorities), len(others), flags)
    return counts + question.wire + b"".join([*answers, *authorities, *others])


def address(owner: str, last: int = 1, ttl: int = 60) -> bytes:
    return record(name(owner), A, bytes([192, 0, 2, last]), ttl)


def alias(owner: str, target: str, ttl: int = 60) -> bytes:
    return record(name(owner), CNAME, name(target), ttl)


def start_of_authority(owner: str, ttl: int, minimum: int) -> bytes:
    return record(name(owner), SOA, name("ns.example.") * 2 + struct.pack("!IIIII", 1, 2, 3, 4, minimum), ttl)


def options(*pairs: tuple[int, bytes], ttl: int = 0) -> bytes:
    rdata = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in pairs)
    return record(b"\0", OPT, rdata, ttl, rdclass=1232)


def accepted(octets: bytes, question: Question = WWW) -> Reply:
    reply = read(octets, question)
    assert isinstance(reply, Reply), reply
    return reply


# --- questions


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty label"),
        ("..", "empty label"),
        (".example.", "empty label"),
        ("www..example.", "empty label"),
        ("a" * 64 + ".example.", "label too long"),
        ("\\097" * 64, "label too long"),
        (".".join(["a" * 63] * 4), "name too long"),
        ("a." * 127 + "a", "name too long"),
        ("www.example\\", "bad escape"),
        ("\\1", "bad escape"),
        ("\\12x", "bad escape"),
        ("\\256.example.", "bad escape"),
        ("b\u00fccher.example.", "not ascii"),
        ("\udc80.example.", "not ascii"),
        ("www\0.example.", "NUL"),
        ("www\\\0.example.", "NUL"),
    ],
)
def test_a_text_that_is_no_name_is_refused_with_its_reason(text, reason):
    with pytest.raises(BadName) as caught:
        Question(text, A)
    assert caught.value.reason == reason
    assert str(caught.value).startswith("The name ")
    assert str(caught.value).endswith(".")


def test_a_question_can_be_copied_whole():
    question = Question("www.example.", 1, 1, b"\0\3\0\0", b"\x02\0\0\0\x7f\0\0\1")
    for other in (copy.copy(question), pickle.loads(pickle.dumps(question))):
        assert other == question
        assert (other.options, other.source) == (question.options, question.source)


def test_a_bad_name_says_where_it_is_bad():
    with pytest.raises(BadName, match=r"^The name 'www\.\.example' has an empty label at character 5\.$"):
        Question("www..example", A)


def test_a_bad_name_does_not_repeat_a_megabyte():
    with pytest.raises(BadName) as caught:
        Question("a." * 500_000, A)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("qname", [b"www.example.", None, 7])
def test_a_name_that_is_no_str_is_a_type_error(qname):
    with pytest.raises(TypeError, match="qname must be a str"):
        Question(qname, A)


@pytest.mark.parametrize("number", [0, -1, 65536, 2**70])
def test_types_and_classes_are_numbers_from_1_to_65535(number):
    with pytest.raises(ValueError, match="rdtype is"):
        Question("www.example.", number)
    with pytest.raises(ValueError, match="rdclass is"):
        Question("www.example.", A, number)


@pytest.mark.parametrize(
    ("text", "qname", "wire"),
    [
        (".", ".", b"\0"),
        ("www.example", "www.example.", b"\3www\7example\0"),
        ("WWW.example.", "WWW.example.", b"\3WWW\7example\0"),
        ("a\\.b.example.", "a\\.b.example.", b"\3a.b\7example\0"),
        ("\\065\\\\.example.", "A\\\\.example.", b"\2A\\\7example\0"),
        ("\\000.example.", "\\000.example.", b"\1\0\7example\0"),
        ("a b$.example.", "a\\032b\\$.example.", b"\4a b$\7example\0"),
    ],
)
def test_qname_is_the_absolute_presentation_of_what_was_asked(text, qname, wire):
    question = Question(text, A)
    assert question.qname == qname
    assert question.wire == wire + b"\0\1\0\1"


def test_names_of_255_octets_can_be_asked_for():
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(Question(longest, A).wire) == 255 + 4
    assert len(Question("a." * 127, A).wire) == 255 + 4


def test_questions_are_equal_where_their_names_differ_in_ascii_case_only():
    assert Question("WWW.Example.", A) == Question("www.example", A)
    assert hash(Question("WWW.Example.", A)) == hash(Question("www.example", A))
    assert Question("WWW.example.", A).key == Question("www.example.", A).wire
    assert Question("\\192.example.", A) != Question("\\224.example.", A)  # a letter's two cases in Latin-1
    assert Question("[.example.", A) != Question("{.example.", A)  # 0x20 apart as well, but no letters
    assert Question("www.example.", A) != Question("www.example.", AAAA)
    assert Question("www.example.", A) != Question("www.example.", A, 3)
    assert Question("www.example.", 65) != Question("www.example.", 97)  # would be A and a in a name
    assert Question("www.example.", A) != "www.example."


def test_questions_are_immutable():
    with pytest.raises(AttributeError):
        WWW.rdtype = AAAA


def test_the_repr_of_a_question_makes_an_equal_one():
    for question in (WWW, Question("a\\.b.example.", ANY, 3)):
        assert eval(repr(question), {"Question": Question}) == question


wire_labels = st.lists(st.binary(min_size=1, max_size=63), max_size=6).filter(
    lambda labels: sum(len(label) + 1 for label in labels) < 255
)


@given(wire_labels)
def test_names_of_any_octets_are_presented_as_dnspython_presents_them(labels):
    known = dns.name.Name([*labels, b""])
    question = Question(known.to_text(), A)
    assert question.qname == known.to_text()
    assert question.wire == dns.name.from_text(question.qname).to_wire() + b"\0\1\0\1"
    assert Question(question.qname, A) == question


def wire_or_reason(text: str) -> bytes | str:
    try:
        return Question(text, A).wire
    except BadName as error:
        return error.reason


ascii_texts = st.text(st.sampled_from("ab.\\015\0\x7f $") | st.characters(codec="ascii"), max_size=300)


@given(ascii_texts.filter(lambda text: text not in ("", "@")))  # which dnspython takes for the origin
def test_texts_are_read_as_dnspython_reads_them(text):
    try:
        known = dns.name.from_text(text).to_wire()
    except dns.exception.DNSException:
        known = None
    match wire_or_reason(text):
        case "NUL":
            assert "\0" in text
        case str():
            assert known is None
        case wire:
            assert wire == known + b"\0\1\0\1"


@given(st.text(max_size=300))
def test_any_text_is_a_question_or_a_bad_name(text):
    assert wire_or_reason(text)


# --- queries


@given(
    st.integers(0, 65535), st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0, 512, 1232, 65535])
)
def test_dnspython_reads_the_queries_we_write(number, recursion, checking, authentic, size):
    seen = dns.message.from_wire(build_query(WWW, number, recursion, checking, authentic, size, size > 600))
    assert seen.id == number
    assert [rrset.to_text() for rrset in seen.question] == ["www.example. IN A"]
    assert int(seen.flags) == dns.flags.RD * recursion | dns.flags.CD * checking | dns.flags.AD * authentic
    assert (seen.edns, seen.payload) == ((0, size) if size else (-1, 0))
    assert bool(seen.ednsflags & dns.flags.DO) is (size > 600)


def test_the_longest_query_is_written_whole():
    question = Question("a." * 127, 65535, 65535)
    assert len(build_query(question, 1, edns_size=1232)) == 12 + 259 + 11


@pytest.mark.parametrize(("number", "size"), [(65536, 0), (-1, 0), (1, 511), (1, 65536), (1, -1)])
def test_queries_with_numbers_out_of_range_are_not_written(number, size):
    with pytest.raises(ValueError, match="is "):
        build_query(WWW, number, edns_size=size)


def test_dnssec_is_not_asked_for_without_edns():
    with pytest.raises(ValueError, match="edns_size"):
        build_query(WWW, 1, dnssec_ok=True)


# --- whose reply it is


@pytest.mark.parametrize(
    ("octets", "refusal"),
    [
        (b"", Refusal.SHORT),
        (header()[:11], Refusal.SHORT),
        (message(flags=0), Refusal.NOT_A_REPLY),
        (message(flags=QR | 5 << 11), Refusal.OPCODE),
        (header(), Refusal.QUESTION),
        (message()[:-1], Refusal.QUESTION),
        (header(questions=2) + WWW.wire * 2, Refusal.QUESTION),
        (message(question=Question("www.test.", A)), Refusal.QUESTION),
        (message(question=Question("www.example.", AAAA)), Refusal.QUESTION),
        (message(question=Question("www.example.", A, 3)), Refusal.QUESTION),
        (message(question=Question("www.example.", A + 0x4100)), Refusal.QUESTION),
    ],
)
def test_a_message_that_is_no_reply_to_the_question_is_refused(octets, refusal):
    assert read(octets, WWW) is refusal


def test_type_octets_that_are_letters_are_compared_exactly():
    asked, seen = Question("www.example.", 65), Question("www.example.", 97)
    assert read(message(question=seen), asked) is Refusal.QUESTION


def test_a_reply_may_spell_the_question_in_another_case():
    reply = accepted(message([address("www.example.")], question=Question("wWw.EXAMPLE.", A)))
    assert reply.addresses == ("192.0.2.1",)
    assert reply.canonical_name == "www.example."


@pytest.mark.parametrize("rcode", range(6))
def test_only_formerr_and_notimp_may_come_without_a_question(rcode):
    for octets in (header(flags=QR | rcode, questions=0), header(0, 0, 1, QR | rcode, 0) + options()):
        if rcode in (1, 4):
            reply = accepted(octets)
            assert (reply.rcode, reply.answered, reply.canonical_name) == (rcode, False, "www.example.")
        else:
            assert read(octets, WWW) is Refusal.QUESTION


@pytest.mark.parametrize(
    ("octets", "refusal"),
    [
        (header(1, 0, 0, QR | 1, 0) + address("www.example."), Refusal.QUESTION),
        (header(0, 0, 2, QR | 1, 0) + options() * 2, Refusal.QUESTION),
        (header(0, 0, 1, QR | 1, 0) + address("www.example."), Refusal.QUESTION),
        (header(0, 0, 1, QR | 1, 0), Refusal.QUESTION),
        (header(0, 0, 0, QR | 1, 0) + b"\0", Refusal.MALFORMED),
    ],
)
def test_a_reply_without_a_question_has_nothing_but_an_opt(octets, refusal):
    assert read(octets, WWW) is refusal


# --- what a message is made of


@pytest.mark.parametrize(
    "octets",
    [
        message([address("www.example.")])[:-1],
        message([address("www.example.")]) + b"\0",
        header(2) + WWW.wire + address("www.example."),
        header(65535, 65535, 65535) + WWW.wire,
        message([record(TO_QNAME, A, b"\xc0\0\2")]),
        message([record(TO_QNAME, A, b"\xc0\0\2\1\1")]),
        message([record(TO_QNAME, AAAA, b"\xc0\0\2\1")]),
        message([record(TO_QNAME, CNAME, b"\xc0\x0c\0")]),
        message([record(TO_QNAME, TXT, b"")]),
        message([record(TO_QNAME, TXT, b"\5only")]),
        message([record(TO_QNAME, TSIG, b"")]),
        message([], [], [record(b"\0", TSIG, b"", rdclass=255)]),
        message([options()]),
        message([], [options()]),
        message([], [], [options(), options()]),
        message([], [], [record(b"\1a\0", OPT, b"")]),
        message([], [], [record(b"\0", OPT, b"\0\3\0")]),
        message([], [], [record(b"\0", OPT, b"\0\3\0\1")]),
        message([], [], [options((10, b"1234567"))]),
        message([], [], [options((10, b"123456789"))]),
        message([], [], [options((10, b"1" * 41))]),
        message([], [], [options((15, b"\0"))]),
        message([], [], [options((15, b"\0\0\xff"))]),
    ],
)
def test_a_message_that_is_not_what_it_says_is_malformed(octets):
    assert read(octets, WWW) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "owner",
    [
        b"\xc0",
        b"\x40",
        b"\x80\x0c",
        b"\x41" + b"a" * 65 + b"\0",
        pointer(RECORDS),
        pointer(RECORDS + 2),
        b"\1a" + pointer(RECORDS),
        b"\1a" + pointer(RECORDS + 1),
        b"\xff\xff",
        b"\1a" * 126 + b"\2aa\0",
        b"\1a" * 120 + b"\2aa" + TO_QNAME,
    ],
    ids=["half", "01", "10", "65", "self", "forward", "loop", "inside", "far", "256", "256 by pointer"],
)
def test_a_name_that_is_none_makes_the_message_malformed(owner):
    assert read(message([record(owner, A, b"\xc0\0\2\1")]), WWW) is Refusal.MALFORMED


def test_a_pointer_does_not_lead_to_a_label_that_holds_the_pointer():
    octets = message([record(b"\0", OPAQUE, b"\2"), record(pointer(RECORDS + 11), 0, b"")])
    assert read(octets, WWW) is Refusal.MALFORMED
    with pytest.raises(dns.exception.DNSException):
        dns.message.from_wire(octets)


def test_a_name_may_be_255_octets_long_with_its_pointer():
    assert accepted(message([record(b"\1a" * 121 + TO_QNAME, A, b"\xc0\0\2\1")])).answered is False


def test_a_name_takes_at_most_sixteen_pointers():
    def pointers(count: int) -> bytes:
        """Each leads to the one before it, in opaque rdata, and the last is an owner."""
        answers = []
        target, at = 12, RECORDS
        for _ in range(count - 1):
            answers.append(record(b"\0", OPAQUE, pointer(target)))
            target, at = at + 11, at + 13
        return message([*answers, record(pointer(target), A, b"\xc0\0\2\1")])

    assert accepted(pointers(16)).addresses == ("192.0.2.1",)
    assert read(pointers(17), WWW) is Refusal.MALFORMED
    dns.message.from_wire(pointers(16))


@pytest.mark.parametrize("rdtype", RDATA)
def test_good_rdata_of_every_known_type_is_read_in_every_section(rdtype):
    rrset = dns.rrset.from_text_list("www.example.", 60, "IN", rdtype, RDATA[rdtype])
    for section in ("answer", "authority", "additional"):
        response = dns.message.make_response(dns.message.make_query("www.example.", rdtype))
        getattr(response, section).append(rrset)
        question = Question("www.example.", int(rrset.rdtype))
        assert accepted(response.to_wire(), question).answered is (section == "answer")


@pytest.mark.parametrize(
    ("rdtype", "rdata"),
    [
        (DS, b"\0\1\x08\0" + b"a" * 20),
        (DS, b"\0\1\x08\1" + b"a" * 19),
        (DS, b"\0\1\x08"),
        (SSHFP, b"\4\2" + b"a" * 20),
        (TLSA, b"\3\1\1" + b"a" * 31),
        (NSEC, b"\xc0\x0c\0\1\x40"),
        (NSEC, b"\0\0\0"),
        (NSEC, b"\0\0\1\0"),
        (NSEC, b"\0\0\x21" + b"\1" * 33),
        (NSEC, b"\0\1\1\1\1\1\1"),
        (NSEC, b"\0\0\2\1"),
        (DNAME, b"\xc0\x0c"),
        (CAA, b"\0"),
        (CAA, b"\0\0"),
        (CAA, b"\0\5issu"),
        (CAA, b"\0\1-"),
        (HTTPS, b"\0\1\xc0\x0c"),
        (HTTPS, b"\0\0\0\0\3\0\2\0\1"),
        (HTTPS, b"\0\1\0\0\3\0\1\1"),
        (HTTPS, b"\0\1\0\0\3\0"),
        (HTTPS, b"\0\1\0\0\3\0\2\1"),
        (HTTPS, b"\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1"),
        (HTTPS, b"\0\1\0\0\1\0\0"),
        (HTTPS, b"\0\1\0\0\1\0\1\0"),
        (HTTPS, b"\0\1\0\0\1\0\2\3h"),
        (HTTPS, b"\0\1\0\0\2\0\0"),
        (HTTPS, b"\0\1\0\0\4\0\5abcde"),
        (HTTPS, b"\0\1\0\0\6\0\4abcd"),
        (HTTPS, b"\0\1\0\0\5\0\6\0\5abcd"),
        (HTTPS, b"\0\1\0\0\0\0\2\0\3"),
        (HTTPS, b"\0\1\0\0\0\0\2\0\0"),
        (HTTPS, b"\0\1\0\0\0\0\2\0\1\0\3\0\2\0\1"),
        (HTTPS, b"\0\1\0\0\0\0\4\0\3\0\3\0\3\0\2\0\1"),
    ],
)
def test_bad_rdata_of_a_known_type_makes_the_message_malformed(rdtype, rdata):
    octets = message([record(b"\0", rdtype, rdata)])
    assert read(octets, WWW) is Refusal.MALFORMED


def test_rdata_of_unknown_types_and_classes_is_opaque():
    accepted(message([record(b"\0", OPAQUE, b"\xff"), record(b"\0", A, b"\1a\0\0\7", rdclass=3)]))


# --- truncation


@given(st.integers(RECORDS, 200))
def test_a_truncated_message_may_be_cut_anywhere_after_its_question(size):
    octets = message([address("www.example.")] * 5, others=[options()], flags=QR | TC)
    reply = accepted(octets[:size])
    assert (reply.truncated, reply.answered, reply.addresses, reply.ttl) == (True, False, (), 0)


def test_a_truncated_message_that_is_whole_keeps_its_edns():
    reply = accepted(message([], others=[options((10, b"12345678"))], flags=QR | TC))
    assert (reply.edns, reply.cookie) == (True, b"12345678")


# --- the answer


def test_a_reply_says_what_its_header_says():
    octets = message([address("www.example.")], flags=QR | 0x0420 | 3)
    reply = accepted(octets)
    assert (reply.id, reply.flags, reply.rcode) == (7, QR | 0x0423, 3)
    assert (reply.authenticated, reply.truncated, reply.edns) == (True, False, False)
    assert (reply.opt, reply.cookie, reply.ede) == (b"", None, ())
    assert reply.message == octets


def test_opt_gives_the_rcode_its_upper_eight_bits():
    errors = [(15, b"\0\x03stale\0"), (15, b"\0\x16")]
    opt = options((3, b"nsid"), (10, b"1234567812345678"), *errors, ttl=0x01000000)
    reply = accepted(message(others=[opt], flags=QR | 7))
    assert (reply.rcode, reply.edns, reply.opt) == (23, True, opt)
    assert reply.cookie == b"1234567812345678"
    assert reply.ede == ((3, "stale"), (22, ""))


def test_addresses_are_those_of_the_asked_name_type_and_class_in_order():
    reply = accepted(
        message(
            [
                address("www.example.", 9, ttl=50),
                address("other.example.", 2, ttl=1),
                record(TO_QNAME, AAAA, b"\x20\1\x0d\xb8" + b"\0" * 12, ttl=1),
                record(TO_QNAME, A, b"\1a\0\0\7", ttl=1, rdclass=3),
                address("WWW.Example.", 3, ttl=40),
                address("www.example.", 9, ttl=60),
            ],
            [address("www.example.", 4, ttl=1)],
            [address("www.example.", 5, ttl=1)],
        )
    )
    assert reply.addresses == ("192.0.2.9", "192.0.2.3", "192.0.2.9")
    assert (reply.answered, reply.ttl, reply.canonical_name, reply.aliases) == (True, 40, "www.example.", ())


def test_more_addresses_than_fit_the_stack_are_read():
    reply = accepted(message([address("www.example.", last) for last in range(200)]))
    assert reply.addresses == tuple(f"192.0.2.{last}" for last in range(200))


@pytest.mark.parametrize(
    "text", ["::", "::1", "2001:db8::1:0:0:1", "2001:db8:1:2:3:4:5:6", "::ffff:192.0.2.1", "::0.1.0.0"]
)
def test_addresses_of_ipv6_are_written_as_inet_ntop_writes_them(text):
    question = Question("www.example.", AAAA)
    answer = record(TO_QNAME, AAAA, socket.inet_pton(socket.AF_INET6, text))
    assert accepted(message([answer], question=question), question).addresses == (text,)


def test_the_chain_is_followed_whatever_the_order_of_its_records():
    records = [
        alias("www.example.", "A.example.", ttl=90),
        alias("a.example.", "b.TEST.", ttl=30),
        address("B.test.", ttl=70),
    ]
    for answers in (records, records[::-1], [records[1], records[2], records[0]]):
        reply = accepted(message(answers))
        assert reply.addresses == ("192.0.2.1",)
        assert (reply.canonical_name, reply.aliases) == ("b.TEST.", ("www.example.", "A.example."))
        assert reply.ttl == 30


def test_names_that_share_octets_are_told_apart():
    """The target ends in a pointer into the question; its record's owner is a pointer to that target."""
    target = b"\1a" + pointer(12 + 4)
    at_target = RECORDS + 12
    answers = [record(TO_QNAME, CNAME, target), record(pointer(at_target), A, b"\xc0\0\2\7")]
    reply = accepted(message([*answers, record(pointer(12 + 4), A, b"\xc0\0\2\x08")]))
    assert (reply.canonical_name, reply.addresses) == ("a.example.", ("192.0.2.7",))


def test_of_several_aliases_of_one_name_the_last_counts():
    answers = [
        alias("www.example.", "a.example.", ttl=5),
        alias("www.example.", "b.example."),
        address("a.example.", 1),
        address("b.example.", 2),
    ]
    reply = accepted(message(answers))
    assert (reply.addresses, reply.ttl) == (("192.0.2.2",), 5)


def test_the_asked_type_comes_before_an_alias_of_the_same_name():
    answers = [alias("www.example.", "a.example."), address("www.example."), address("a.example.", 2)]
    reply = accepted(message(answers))
    assert (reply.addresses, reply.canonical_name) == (("192.0.2.1",), "www.example.")


def test_a_chain_that_comes_back_ends_without_an_answer():
    for target in ("www.example.", "WWW.EXAMPLE."):
        reply = accepted(message([alias("www.example.", "a.example."), alias("a.example.", target)]))
        assert (reply.answered, reply.canonical_name) == (False, "a.example.")
        assert reply.aliases == ("www.example.",)
    assert accepted(message([alias("www.example.", "www.example.")])).aliases == ()


def test_a_chain_has_at_most_32_links():
    def chain(links: int) -> Reply:
        names = ["www.example.", *(f"n{n}.example." for n in range(links))]
        return accepted(message([*map(alias, names, names[1:]), address(names[-1])]))

    assert chain(32).addresses == ("192.0.2.1",)
    assert len(chain(32).aliases) == 32
    assert chain(33).answered is False


def test_an_alias_asked_for_is_not_followed():
    question = Question("www.example.", CNAME)
    answers = [alias("www.example.", "a.example."), alias("a.example.", "b.example.")]
    reply = accepted(message(answers, question=question), question)
    assert (reply.answered, reply.targets) == (True, ("a.example.",))
    assert (reply.canonical_name, reply.aliases) == ("www.example.", ())


def test_any_is_answered_by_whatever_the_name_has():
    question = Question("www.example.", ANY)
    answers = [record(TO_QNAME, TXT, b"\0", ttl=9), alias("www.example.", "a.example.")]
    reply = accepted(message(answers, question=question), question)
    assert (reply.answered, reply.canonical_name, reply.ttl) == (True, "www.example.", 9)
    assert accepted(message([address("a.example.")], question=question), question).answered is False


@pytest.mark.parametrize("rdtype", [NS, PTR])
def test_targets_are_the_names_asked_for(rdtype):
    question = Question("7.2.0.192.in-addr.arpa.", rdtype)
    targets = ("b.example.", "a\\.c\\$.example.")
    answers = [record(TO_QNAME, rdtype, name(target)) for target in targets]
    reply = accepted(message(answers, question=question), question)
    assert reply.targets == targets
    assert reply.addresses == ()


def test_the_root_can_be_asked_for():
    question = Question(".", NS)
    reply = accepted(message([record(b"\0", NS, name("a.example."))], question=question), question)
    assert reply.targets == ("a.example.",)


# --- lifetimes


@pytest.mark.parametrize(
    ("authorities", "ttl"),
    [
        ([], 0),
        ([start_of_authority("example.", 100, 50)], 50),
        ([start_of_authority("example.", 40, 50)], 40),
        ([start_of_authority("WWW.example.", 40, 50)], 40),
        ([start_of_authority(".", 40, 50)], 40),
        ([start_of_authority("test.", 40, 50)], 0),
        ([start_of_authority("ww.example.", 40, 50)], 0),
        ([start_of_authority("a.www.example.", 40, 50)], 0),
        ([start_of_authority(".", 10, 10), start_of_authority("example.", 40, 50)], 40),
        ([start_of_authority("example.", 40, 50), start_of_authority(".", 10, 10)], 40),
        ([start_of_authority("example.", 40, 50), start_of_authority("example.", 60, 60)], 40),
        ([start_of_authority("example.", 2**31, 50)], 0),
        ([start_of_authority("example.", 50, 2**31)], 0),
        ([start_of_authority("example.", 2**31 - 1, 2**31 - 1)], 2**31 - 1),
        ([record(name("example."), NS, name("ns.example."))], 0),
    ],
)
def test_a_negative_answer_lives_as_long_as_its_soa_allows(authorities, ttl):
    for rcode in (0, 3):
        reply = accepted(message([], authorities, flags=QR | rcode))
        assert (reply.answered, reply.ttl) == (False, ttl)


def test_the_soa_counts_for_the_name_at_the_end_of_the_chain():
    answers = [alias("www.example.", "a.test.", ttl=20)]
    assert accepted(message(answers, [start_of_authority("test.", 100, 100)])).ttl == 20
    assert accepted(message(answers, [start_of_authority("test.", 100, 10)])).ttl == 10
    assert accepted(message(answers, [start_of_authority("example.", 100, 10)])).ttl == 0


def test_a_ttl_with_its_top_bit_set_counts_nothing():
    assert accepted(message([address("www.example.", ttl=2**31)])).ttl == 0
    assert accepted(message([address("www.example.", ttl=2**31 - 1)])).ttl == 2**31 - 1


# --- what a Reply is


def test_replies_are_made_by_read_only():
    with pytest.raises(TypeError):
        Reply()
    with pytest.raises(AttributeError):
        accepted(message()).rcode = 0


@pytest.mark.parametrize("octets", [bytearray(message()), "text", None])
def test_messages_are_bytes(octets):
    with pytest.raises(TypeError):
        read(octets, WWW)


# --- agreement with dnspython, on whatever comes


def records_of(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and rdata of each record of a well-formed reply."""

    def after_name(at: int) -> int:
        while 0 < octets[at] < 192:
            at += octets[at] + 1
        return at + (1 if octets[at] == 0 else 2)

    questions, *counts = struct.unpack_from("!HHHH", octets, 4)
    at = 12
    for _ in range(questions):
        at = after_name(at) + 4
    for _ in range(sum(counts)):
        at = after_name(at)
        rdtype, _, _, size = struct.unpack_from("!HHIH", octets, at)
        yield rdtype, octets[at + 10 : at + 10 + size]
        at += 10 + size


def is_opaque_to_us(octets: bytes) -> bool:
    """Whether something in the message is opaque to gdns._wire, but perhaps not to dnspython."""
    for rdtype, rdata in records_of(octets):
        at = 0
        while rdtype == OPT and at < len(rdata):
            code, size = struct.unpack_from("!HH", rdata, at)
            if code not in (10, 15):
                return True
            at += 4 + size
        if rdtype != OPT and rdtype not in KNOWN:
            return True
    return False


def agree(octets: bytes, question: Question) -> None:
    """Read, and hold what was read to what dnspython reads."""
    reply = read(octets, question)
    if not isinstance(reply, Reply):
        assert isinstance(reply, Refusal)
        return
    assert reply.message == octets
    if reply.truncated or is_opaque_to_us(octets):
        return
    seen = dns.message.from_wire(octets)
    assert isinstance(seen, dns.message.QueryMessage)
    assert (reply.id, reply.flags, reply.rcode) == (seen.id, int(seen.flags), int(seen.rcode()))
    assert reply.edns is (seen.edns >= 0)
    if not seen.question or question.rdtype == RRSIG:  # which dnspython files under the type it covers
        return
    try:
        chain = seen.resolve_chaining()
    except (dns.message.ChainTooLong, dns.message.AnswerForNXDOMAIN):
        return
    assert reply.answered is (chain.answer is not None)
    assert dns.name.from_text(reply.canonical_name) == chain.canonical_name
    assert len(reply.aliases) == len(chain.cnames)
    if chain.answer is not None:
        assert reply.ttl == chain.minimum_ttl
        if question.rdtype in (A, AAAA):
            assert list(dict.fromkeys(reply.addresses)) == [rdata.address for rdata in chain.answer]
        return
    assert reply.ttl <= chain.minimum_ttl
    minima = [struct.unpack("!I", rdata[-4:])[0] for rdtype, rdata in records_of(octets) if rdtype == SOA]
    if reply.ttl and len(minima) == 1:
        assert reply.ttl == chain.minimum_ttl


def rendered(question: Question, rdtypes: Sequence[str], edns: bool) -> bytes:
    response = dns.message.make_response(dns.message.make_query(question.qname, question.rdtype))
    if edns:
        cookie = dns.edns.CookieOption(b"12345678", b"abcdefgh")
        response.use_edns(0, options=[cookie, dns.edns.EDEOption(3, "old")])
    response.answer.append(dns.rrset.from_text(question.qname, 60, "IN", "CNAME", "host.example."))
    for rdtype in rdtypes:
        response.answer.append(dns.rrset.from_text_list("host.example.", 30, "IN", rdtype, RDATA[rdtype]))
    response.authority.append(dns.rrset.from_text_list("example.", 90, "IN", "SOA", RDATA["SOA"]))
    response.additional.append(dns.rrset.from_text("ns.example.", 90, "IN", "A", "192.0.2.53"))
    return response.to_wire(max_size=65535)


REPLIES = [
    (question, rendered(question, [dns.rdatatype.to_text(question.rdtype)], edns))
    for question in (Question("www.example.", rdtype) for rdtype in KNOWN)
    for edns in (False, True)
]
REPLIES.append((WWW, rendered(WWW, list(RDATA), True)))


@st.composite
def mutated_replies(draw: st.DrawFn) -> tuple[Question, bytes]:
    """A real reply with a few octets changed, put in, taken out or cut off."""
    question, wire = draw(st.sampled_from(REPLIES))
    octets = bytearray(wire)
    records = 12 + len(question.wire)
    first = draw(st.sampled_from([0, 6, records, records, records]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(min(first, len(octets)), len(octets)))
        chunk = draw(st.binary(min_size=1, max_size=3) | st.sampled_from([TO_QNAME, b"\xff\xff", b"\0\1"]))
        match draw(st.integers(0, 9)):
            case 0:
                octets[at:at] = chunk
            case 1:
                del octets[at : at + len(chunk)]
            case 2:
                del octets[at:]
            case _:
                octets[at : at + len(chunk)] = chunk
    return question, bytes(octets)


def test_the_replies_to_mutate_are_replies():
    for question, octets in REPLIES:
        assert accepted(octets, question).answered
        agree(octets, question)


@given(mutated_replies())
def test_a_mutated_reply_is_refused_or_read_as_dnspython_reads_it(case):
    question, octets = case
    agree(octets, question)


@given(st.binary(max_size=600))
def test_any_octets_are_a_reply_or_a_refusal(octets):
    agree(octets, WWW)


@given(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.integers(0, 15), st.binary(max_size=300))
def test_any_octets_after_a_question_are_a_reply_or_a_refusal(answers, authorities, others, rcode, octets):
    agree(header(answers, authorities, others, QR | rcode) + WWW.wire + octets, WWW)


owners = st.sampled_from(
    ["www.example.", "WWW.Example.", "a.example.", "b.example.", "A.b.example.", "example.", "."]
)
ttls = st.sampled_from([0, 1, 30, 60, 2**31 - 1, 2**31, 2**32 - 1])
made_up_records = st.one_of(
    st.builds(address, owners, st.integers(0, 3), ttls),
    st.builds(alias, owners, owners, ttls),
    st.builds(alias, owners, owners, ttls),
    st.builds(start_of_authority, owners, ttls, ttls),
)


@given(
    st.lists(made_up_records, max_size=12),
    st.lists(made_up_records, max_size=4),
    st.sampled_from([A, A, AAAA, CNAME, SOA]),
    st.sampled_from([0, 0, 0, 2, 3]),
)
def test_chains_are_followed_as_dnspython_follows_them(answers, authorities, rdtype, rcode):
    question = Question("www.example.", rdtype)
    octets = message(answers, authorities, flags=QR | rcode, question=question)
    accepted(octets, question)
    agree(octets, question)


SAMPLES = [
    (rdtype, dns.rdata.from_text("IN", rdtype, text).to_wire())
    for rdtype in KNOWN
    for text in RDATA[dns.rdatatype.to_text(rdtype)]
]


@given(st.sampled_from(SAMPLES), st.data())
def test_rdata_we_accept_is_accepted_by_dnspython(sample, data):
    rdtype, wire = sample
    rdata = bytearray(wire)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(rdata)))
        rdata[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    agree(message([record(TO_QNAME, rdtype, bytes(rdata))]), WWW)


# --- work

# 242 octets of a name that goes on in the question; they stand in the first record of every large message.
LONG_TAIL = record(b"\0", OPAQUE, b"\1a" * 120 + TO_QNAME)


def long_name(n: int) -> bytes:
    """One of sixty names of 255 octets that differ in the first label only."""
    return bytes([1, 0x21 + n % 60]) + pointer(RECORDS + 11)


def long_alias(n: int) -> bytes:
    """The links of a chain of 16; then, aliases of names that are none of its own."""
    if n < 16:
        return record(long_name(n) if n else TO_QNAME, CNAME, long_name(n + 1))
    return record(long_name(17 + n % 40), CNAME, b"\0")


def seconds(size: int, make_record: Callable[[int], bytes]) -> float:
    """CPU time of the best of twenty readings of a message of about that many octets."""
    answers = [LONG_TAIL]
    used = len(LONG_TAIL)
    while used < size:
        answers.append(make_record(len(answers) - 1))
        used += len(answers[-1])
    octets = message(answers)
    best = float("inf")
    for _ in range(20):
        begun = time.thread_time()
        accepted(octets)
        best = min(best, time.thread_time() - begun)
    return best


def long_address(n: int) -> bytes:
    return record(long_name(n), A, b"\xc0\0\2\1")


@pytest.mark.parametrize(
    "make_record",
    [
        lambda n: record(TO_QNAME, A, b"\xc0\0\2\1"),
        long_address,
        long_alias,
        lambda n: record(b"\0", RP, TO_QNAME * 2),
        lambda n: record(b"\0", TXT, b"\0" * 400),
        lambda n: record(
            b"\0", HTTPS, b"\0\1\0" + b"".join(struct.pack("!HH", key, 0) for key in range(11, 99))
        ),
    ],
    ids=["addresses", "long owners", "aliases", "pointers", "strings", "params"],
)
def test_work_grows_no_faster_than_the_message(make_record):
    assert seconds(64_000, make_record) < 3 * 8 * seconds(8_000, make_record)


def test_a_chain_of_sixteen_links_does_not_compare_every_name_sixteen_times():
    assert seconds(64_000, long_alias) < 4 * seconds(64_000, long_address)


# Addresses as text


@pytest.mark.parametrize("seed", range(4))
def test_addresses_are_written_as_the_system_writes_them(seed):
    chance = random.Random(seed)
    groups = (0, 0, 0, 0, 1, 0xF, 0x10, 0xFF, 0x100, 0xFFF, 0x1000, 0xFFFF)
    packed = {bytes(16), bytes(15) + b"\1", bytes(10) + b"\xff\xff\xc0\0\2\1", bytes(12) + b"\xc0\0\2\1"}
    packed |= {struct.pack("!8H", *(chance.choice(groups) for _ in range(8))) for _ in range(2000)}
    for mask in product((0, 1), repeat=8):
        packed.add(struct.pack("!8H", *(group * chance.randrange(1, 0x10000) for group in mask)))
    question = Question("www.example.", AAAA)
    header = build_query(question, 7)
    for address in packed:
        record = TO_QNAME + struct.pack("!HHLH", AAAA, 1, 60, 16) + address
        message = header[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + header[12:] + record
        assert read(message, question).addresses == (socket.inet_ntop(socket.AF_INET6, address),)


def test_a_question_of_another_type_is_as_if_it_were_made_anew():
    for name in "www.example.", "WwW.example", ".", "\\000a.Example.":
        question = Question(name, 1, 3, b"\0\x03\0\0", b"\2\0")
        other, anew = question.with_type(28), Question(name, 28, 3, b"\0\x03\0\0", b"\2\0")
        for part in "qname", "rdtype", "rdclass", "wire", "key", "options", "source", "is_plain":
            assert getattr(other, part) == getattr(anew, part)
        assert other == anew != question
        assert other.name_key() == question.name_key() == question.key[:-4] + b"\0\0" + question.key[-2:]
    with pytest.raises(ValueError, match="rdtype"):
        question.with_type(0)
