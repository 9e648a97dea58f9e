"""Finds, checks and loads the c-ares library that gdns drives.

The extension module inside the pycares wheel exports every function of c-ares. That very file is opened
and its functions are put into a table of typed pointers, so nothing of c-ares is compiled or shipped
here, and a security release of c-ares arrives with `pip install -U pycares`.
"""

import importlib.util
import os

cdef extern from *:
    """
    #include <dlfcn.h>
    /* Without RTLD_DEEPBIND another c-ares in the process would capture the library's inner calls; the
       AddressSanitizer's runtime cannot live with it. */
    #if defined(__SANITIZE_ADDRESS__)
    #define GDNS_DLOPEN_MODE (RTLD_NOW | RTLD_LOCAL)
    #else
    #define GDNS_DLOPEN_MODE (RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)
    #endif
    """
    int GDNS_DLOPEN_MODE
    ctypedef struct Dl_info:
        const char* dli_fname
    void* dlopen(const char* file, int mode)
    void* dlsym(void* library, const char* symbol)
    int dladdr(const void* address, Dl_info* info)
    int dlclose(void* library)
    const char* dlerror()

cdef enum:
    LOWEST_VERSION = 0x012200  # 1.34.0
    VERSION_LIMIT = 0x020000  # 2.0.0

SYSTEM_LIBRARY = "libcares.so.2"  # found by the dynamic linker, as ld.so(8) says

cdef str _version = ""
cdef str _file = ""


def candidates(environ=os.environ) -> list:
    """The (file, where it comes from) of each c-ares to try; the first that loads is the one.

    `GDNS_LIBCARES` names one file and is then the only candidate. Else the extension module inside the
    pycares wheel, and last the system's library.
    """
    named = environ.get("GDNS_LIBCARES")
    if named:
        return [(named, "GDNS_LIBCARES")]
    spec = importlib.util.find_spec("pycares")  # finds without importing, which would cost 80 ms
    folders = (spec.submodule_search_locations or []) if spec else []
    files = [os.path.join(folder, name) for folder in folders for name in _extensions(folder)]
    return [(file, "the pycares package") for file in files] + [(SYSTEM_LIBRARY, "the system")]


def _extensions(str folder) -> list:
    """The files of c-ares' extension module in a folder; none where it cannot be read."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(name for name in names if name.startswith("_cares") and name.endswith(".so"))


cdef int _load_from(str file, str origin) except -1:
    """Fill the function table from `file`, or raise ImportError saying what was found and what is needed."""
    global _version, _file
    cdef Dl_info info
    cdef int number = 0
    cdef void* library = dlopen(file.encode(), GDNS_DLOPEN_MODE)
    if library == NULL:
        raise ImportError(f"{file} ({origin}) cannot be loaded: {dlerror().decode(errors='replace')}")
    cdef const char** symbols = [
        b"ares_library_init", b"ares_version", b"ares_strerror", b"ares_init_options", b"ares_save_options",
        b"ares_destroy_options", b"ares_destroy", b"ares_set_servers_ports_csv", b"ares_set_socket_functions_ex",
        b"ares_process_fds", b"ares_send_dnsrec", b"ares_dns_record_create", b"ares_dns_record_destroy",
        b"ares_dns_record_query_add",
        b"ares_dns_record_rr_add", b"ares_dns_rr_set_u16", b"ares_dns_rr_set_u8", b"ares_queue_active_queries",
    ]  # in the order of the members of Functions, each one pointer
    cdef void** table = <void**>&ares
    cdef size_t count = sizeof(Functions) // sizeof(void*)
    cdef size_t index
    cdef void* version = dlsym(library, b"ares_version")
    if version == NULL:
        dlclose(library)
        raise ImportError(f"{file} ({origin}) does not export c-ares")
    text = (<const char* (*)(int*) noexcept>version)(&number).decode()
    if not LOWEST_VERSION <= number < VERSION_LIMIT:
        dlclose(library)
        raise ImportError(f"{file} ({origin}) is c-ares {text}")
    for index in range(count):
        table[index] = dlsym(library, symbols[index])
        if table[index] == NULL:
            missing = symbols[index].decode()
            dlclose(library)
            raise ImportError(f"{file} ({origin}) is c-ares {text} without {missing}")
        # another library's c-ares, found by the same names, would get our channels
        if not _same_file(table[index], version):
            name = symbols[index].decode()
            dlclose(library)
            raise ImportError(f"{file} ({origin}): {name} comes from another library")
    dladdr(version, &info)
    _version, _file = text, info.dli_fname.decode()
    return 0


cdef bint _same_file(void* one, void* other) noexcept:
    cdef Dl_info first, second
    if not dladdr(one, &first) or not dladdr(other, &second):
        return False
    return first.dli_fname == second.dli_fname or bytes(first.dli_fname) == bytes(second.dli_fname)


cdef int _load() except -1:
    reasons = []
    for file, origin in candidates():
        try:
            _load_from(file, origin)
        except ImportError as error:
            reasons.append(str(error))
        else:
            break
    else:
        raise ImportError(
            "gdns needs c-ares 1.34 or later (below 2), from `pip install -U pycares`, the system's "
            "libcares.so.2 or the file that GDNS_LIBCARES names; found: " + "; ".join(reasons),
            name=__name__,
        )
    status = ares.library_init(ARES_LIB_INIT_ALL)  # never undone: that would pull the allocator from under others
    if status != ARES_SUCCESS:
        text = ares.strerror(status).decode()
        raise ImportError(f"c-ares {_version} in {_file} does not start: {text}", name=__name__)
    return 0


_load()


def version() -> str:
    """The version of the c-ares in use, for instance "1.34.9"."""
    return _version


def library_file() -> str:
    """The file that the c-ares in use was loaded from."""
    return _file


def layout() -> dict:
    """Sizes and offsets, in octets, of what `_libcares.pxd` mirrors; for the test that compares them."""
    cdef ares_options options
    cdef size_t start = <size_t>&options
    return {
        "ares_options": {
            "": sizeof(options),
            "flags": <size_t>&options.flags - start,
            "timeout": <size_t>&options.timeout - start,
            "tries": <size_t>&options.tries - start,
            "udp_port": <size_t>&options.udp_port - start,
            "servers": <size_t>&options.servers - start,
            "lookups": <size_t>&options.lookups - start,
            "sock_state_cb": <size_t>&options.sock_state_cb - start,
            "ednspsz": <size_t>&options.ednspsz - start,
            "resolvconf_path": <size_t>&options.resolvconf_path - start,
            "hosts_path": <size_t>&options.hosts_path - start,
            "udp_max_queries": <size_t>&options.udp_max_queries - start,
            "maxtimeout": <size_t>&options.maxtimeout - start,
            "qcache_max_ttl": <size_t>&options.qcache_max_ttl - start,
            "evsys": <size_t>&options.evsys - start,
            "server_failover_opts": <size_t>&options.server_failover_opts - start,
        },
        "ares_server_failover_options": {"": sizeof(ares_server_failover_options)},
    }
