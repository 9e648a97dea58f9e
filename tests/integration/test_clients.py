"""Programs that look records up with dnspython work on gdns, unchanged."""

from __future__ import annotations

import subprocess
import sys

PATCH = """if True:
    import gdns, gdns.resolver
    gdns.resolver._default = gdns.Resolver(nameservers=[{address!r}], search=(), timeout=2.0)
    gdns.patch_dnspython()
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pymongo_finds_its_hosts_by_srv_and_txt(dns_server):
    dns_server.add(
        "_mongodb._tcp.cluster.db.example. 60 SRV 0 0 27017 one.db.example.",
        "_mongodb._tcp.cluster.db.example. 60 SRV 0 0 27018 two.db.example.",
        'cluster.db.example. 60 TXT "replicaSet=rs0&authSource=admin"',
    )
    program = (
        PATCH
        + """
    from pymongo import MongoClient
    from pymongo.uri_parser import parse_uri

    found = parse_uri("mongodb+srv://cluster.db.example/stock")
    print(sorted(found["nodelist"]), found["options"]["replicaSet"], found["database"])
    with MongoClient("mongodb+srv://cluster.db.example/", connect=False) as client:
        client._topology  # resolved, not connected
    """
    )
    printed = run(program.format(address=dns_server.address))
    assert printed.strip() == "[('one.db.example', 27017), ('two.db.example', 27018)] rs0 stock"
    assert set(dns_server.questions) == {
        ("_mongodb._tcp.cluster.db.example.", "SRV"),
        ("cluster.db.example.", "TXT"),
    }


def test_pymongo_names_what_is_missing(dns_server):
    program = (
        PATCH
        + """
    from pymongo.errors import ConfigurationError
    from pymongo.uri_parser import parse_uri

    try:
        parse_uri("mongodb+srv://missing.db.example/")
    except ConfigurationError as error:
        print(error)
    """
    )
    printed = run(program.format(address=dns_server.address))
    assert "_mongodb._tcp.missing.db.example" in printed


MAIL = """
    import dns.resolver
    import email_validator
    from email_validator import EmailUndeliverableError, caching_resolver, validate_email

    email_validator.SPECIAL_USE_DOMAIN_NAMES.remove("test")  # else it asks nobody about such names
    explicit = dns.resolver.Resolver(configure=False)
    explicit.nameservers, explicit.port = ["127.0.0.1"], {port}
    for resolver in (None, caching_resolver(timeout=5, dns_resolver=explicit)):
        for domain in ("good", "good", "documentation", "null", "closed", "missing"):
            try:
                found = validate_email(f"me@{{domain}}.mail.test", dns_resolver=resolver)
                print(domain, found.mx)
            except EmailUndeliverableError:
                print(domain, "undeliverable")
"""


def test_email_validator_checks_whether_mail_can_be_delivered(dns_server):
    dns_server.reset({"mail.test.": {}})
    dns_server.add(
        "good.mail.test. 60 MX 10 mx.mail.test.",
        "documentation.mail.test. 60 A 192.0.2.25",  # it wants a global address
        "null.mail.test. 60 MX 0 .",
        'closed.mail.test. 60 TXT "v=spf1 -all"',
    )
    program = (PATCH + MAIL).format(address=dns_server.address, port=dns_server.port)
    good = "good [(10, 'mx.mail.test')]"
    undeliverable = [f"{domain} undeliverable" for domain in ("documentation", "null", "closed", "missing")]
    assert run(program).splitlines() == [good, good, *undeliverable] * 2
    # once for the default resolver, whose cache is gdns', once for the other, which has one of dnspython's
    assert dns_server.questions.count(("good.mail.test.", "MX")) == 2
