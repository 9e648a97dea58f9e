"""Imports point down the layers, and every public function is one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import gdns

PACKAGE = Path(gdns.__file__).parent
LAYERS = (
    # pure: no sockets, no hub, no threads
    {
        "_version",
        "_clock",
        "_dicts",
        "_addresses",
        "_rows",
        "_wire",
        "cache",
        "config",
        "deadlines",
        "descriptors",
        "endpoints",
        "entries",
        "errors",
        "extras",
        "files",
        "gaiconf",
    }
    | {
        "hosts",
        "literals",
        "logs",
        "names",
        "nsswitch",
        "refusals",
        "nss_modules",
        "ordering",
        "outcome",
        "pace",
        "rdtypes",
        "resolvconf",
        "services",
        "switch",
        "threads",
        "uncompiled",
        "hooks",
    },
    # engine
    {
        "bell",
        "counters",
        "_ares",
        "_datagram",
        "_libcares",
        "_links",
        "_routes",
        "_sockets",
        "flight",
        "hubs",
        "servers",
        "stub",
        "turns",
    },
    # policy
    {"approval", "engines", "forward", "libc", "nss", "nss_dns", "overrides", "policy", "ready", "sources"},
    # api
    {
        "alone",
        "arguments",
        "beside",
        "connect",
        "eager",
        "front",
        "_ndjson",
        "many",
        "netdb",
        "parameters",
        "reading",
        "records",
        "resolver",
        "system",
        "trace",
    },
    # edge
    {
        "__init__",
        "__main__",
        "cli",
        "contrib",
        "dnspython",
        "eventlet",
        "gevent",
        "metrics",
        "patch",
        "testing",
        "watch",
    },
)
LAYER_OF = {module: number for number, modules in enumerate(LAYERS) for module in modules}


def modules() -> dict[str, list[Path]]:
    """The top modules of the package, with the files of each."""
    found: dict[str, list[Path]] = {}
    for file in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx")]):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found.setdefault(parts[0], []).append(file)
    return found


def imports_of(file: Path) -> set[str]:
    """The top modules of gdns that a file imports, but for those that only types need."""
    if file.suffix == ".pyx":
        lines = [
            line.split()
            for line in file.read_text().splitlines()
            if line.startswith(("from gdns", "import gdns"))
        ]
        return {words[1].split(".")[1] if "." in words[1] else words[3] for words in lines} - {"*"}
    found = set()
    for node in _statements(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gdns":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("gdns.")}
    return found


def _statements(tree: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        found += [node, *_statements(node)]
    return found


def test_every_module_has_its_layer():
    assert set(modules()) - set(LAYER_OF) == set()


def test_imports_point_down():
    upward = [
        f"{module} imports {imported}"
        for module, files in modules().items()
        for file in files
        for imported in imports_of(file)
        if imported in LAYER_OF and LAYER_OF[imported] > LAYER_OF[module] and module != "testing"
    ]
    assert upward == []


def test_only_records_and_testing_import_dnspython():
    importers = {
        module
        for module, files in modules().items()
        for file in files
        if "import dns" in file.read_text() or "from dns" in file.read_text()
        if any(line.startswith(("import dns", "from dns")) for line in file.read_text().splitlines())
    }
    assert importers <= {"dnspython", "reading", "records", "testing", "cli"}


def test_looking_up_addresses_loads_no_dnspython(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    program = f"""if True:
        import sys, gdns
        with gdns.Resolver(nameservers=["{dns_server.address}"]) as resolver:
            resolver.getaddrinfo("www.example", 80), resolver.lookup("www.example")
        print([name for name in sys.modules if name == "dns" or name == "gevent" or name == "pycares"])
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_public_function_shares_a_modules_name_and_all_can_be_called_after_every_import():
    # in a process of its own: eventlet, which is among these, puts another dnspython into sys.modules
    program = f"""if True:
        import importlib, pkgutil, sys, gdns
        for module in pkgutil.walk_packages([{str(PACKAGE)!r}], "gdns."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        for name in gdns.__all__:
            assert f"gdns.{{name}}" not in sys.modules, name
            assert getattr(gdns, name) is not None
            if name[0].islower():
                assert callable(getattr(gdns, name)), name
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
